"""`python cli.py ...` is `eactf ...`; the commands live in eactf/cli/, one a file."""

from eactf.cli import main

if __name__ == "__main__":
    main()
