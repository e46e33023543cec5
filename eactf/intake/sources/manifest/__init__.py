"""What reading a manifest takes: its table, its columns, the files it names, its labels."""
