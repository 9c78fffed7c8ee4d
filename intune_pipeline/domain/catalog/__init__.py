"""The built-in catalogue: what makers call their laptops, tablets and desktops. Data only, read by ``classification``.

Every ``*.toml`` file describes one maker, or a group of makers that are alike:

``manufacturers``
    RE2 patterns searched for in the manufacturer, in lower case; an empty list: the file holds for every maker.
``platforms``
    Where the file is looked up: ``windows`` (the default), ``macos``, ``android``. Android's rules are searched for in
    maker and model together, "yealink mp56".
``example_manufacturer``
    The manufacturer that the file's examples come with.
``[[not_a_phone]]``, ``[[placeholder]]``, ``[[not_a_pc]]``, ``[[tablet]]``, ``[[desktop]]``, ``[[laptop]]``, ``[[generic]]``, ``[[otherwise]]``
    The rules, in the order the stages are tried. Each has an ``id`` unique in its file, a ``model`` pattern or a list of
    them, of which one must match, a ``reason`` and an ``example``; the last two stages also say their ``type``. The
    pattern is searched for in the model as it is compared: lower case, single spaces, underscores as spaces.
``machine_types``
    A CSV table of machine types, looked up after ``not_a_pc`` and before ``tablet``.
"""
