"""What the demonstration company sells, to whom, how much they use, and how they pay.

Pure: everything follows from a seed and a scale, without database, clock or settings.
"""
