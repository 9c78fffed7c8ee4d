"""The Microsoft side against a real Entra and Graph over HTTPS: the sandbox, or a server that says what a test wants."""
