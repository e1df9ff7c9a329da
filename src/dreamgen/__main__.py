"""`python -m dreamgen`."""

from dreamgen.cli import main

if __name__ == "__main__":
    main()
