"""What wraps the engine: grammars, vocabularies, masks, limits, and what generations share.

`schemask` itself exports what is for users.
"""
