"""`compile`: tracing a function once per kind of argument and per path through its branches."""
