"""``python -m fortydays`` is the command ``forty``."""

from fortydays.cli.main import main

if __name__ == "__main__":
    main()
