"""Capturing packets in nodes: packet sockets, filters, and pcapng files.

A process of its own reads the packet sockets and writes the file, so that nothing that this one does, and
no lock of its interpreter, costs packets. See `emu.capture.handle`.
"""
