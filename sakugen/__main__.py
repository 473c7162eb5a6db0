"""`python -m sakugen` is `sakugen`."""

from sakugen.cli.main import main

if __name__ == "__main__":
    main()
