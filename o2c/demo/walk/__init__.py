"""The walk: the planned company lives three months through the same services that the screens call.

Each step finds what it has done by natural keys, so a walk that was interrupted goes on where it was,
and a walk that is finished changes nothing.
"""
