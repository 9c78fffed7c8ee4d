"""The built-in catalogue: what makers call their laptops, tablets and desktops. Data only, read by ``classification``.

Every ``*.toml`` file describes one maker, or a group of makers that are alike:

``manufacturers``
    RE2 patterns searched for in the manufacturer, in lower case; an empty list: the file holds for every maker.
``example_manufacturer``
    The manufacturer that the file's examples come with.
``[[placeholder]]``, ``[[not_a_pc]]``, ``[[tablet]]``, ``[[desktop]]``, ``[[laptop]]``, ``[[generic]]``, ``[[otherwise]]``
    The rules, in the order the stages are tried. Each has an ``id`` unique in its file, a ``model`` pattern, a
    ``reason`` and an ``example``; the last two stages also say their ``type``. The pattern is searched for in the
    model as it is compared: lower case, single spaces, underscores as spaces.
``machine_types``
    A CSV table of machine types, looked up after ``not_a_pc`` and before ``tablet``.
"""
