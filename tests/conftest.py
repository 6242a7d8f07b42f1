"""What holds for all tests."""

import signal

# What is ignored above us, by a `nohup` or a shell's `&`, every command of the tests would ignore too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
