"""JSON Schemas as data: walks through them, parts of them, and those of Python's types."""
