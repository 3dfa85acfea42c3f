"""The demonstration company: a seeded plan of it (`plan/`, pure), and the walk that lives it.

On top of all apps, like the settings: nothing imports it.
"""
