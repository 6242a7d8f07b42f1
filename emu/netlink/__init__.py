"""Plans as netlink messages, and the kernel's answers as plain values."""
