"""Who is called: one file per family of provider types, the table of them, and the set that is in force."""
