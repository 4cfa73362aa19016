"""Folders and their messages as readers share them, and the catchall."""
