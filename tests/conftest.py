"""What holds for all tests."""

import signal

# What a `nohup` above us ignores would be ignored by every command that the tests start.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
