"""Tests that run on another kernel: user-mode Linux, booted once for all of them."""
