"""``python -m selftaught``, as torchrun starts it."""

from selftaught.cli import main

main()
