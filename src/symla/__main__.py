"""`python -m symla` is the `symla` command."""

from symla.cli.main import main

if __name__ == "__main__":
    main()
