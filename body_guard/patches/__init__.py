"""Patches of other libraries: applied, stacked, undone; the guard of a whole process."""
