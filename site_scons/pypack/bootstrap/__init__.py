"""Programs that run elsewhere: on the machine of the bundle's user, or in another interpreter.

They are data to pypack and are never imported by it.
"""
