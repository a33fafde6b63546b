"""supervisord's configuration: read as supervisord reads it, and said in Kahi's words.

``ini`` takes a file apart, ``configuration`` puts the files together, ``resolve`` finds what
supervisord would do with them, ``translate`` writes it down for Kahi.
"""
