"""The commands, each with its arguments and what it does. `program.py` lists them."""
