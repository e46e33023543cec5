"""This module lets `python -m eactf` do what the command `eactf` does."""

from eactf.cli import main

if __name__ == "__main__":
    main()
