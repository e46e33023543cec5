"""`python -m eactf` is `eactf`."""

from eactf.cli import main

if __name__ == "__main__":
    main()
