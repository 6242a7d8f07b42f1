"""Frames on a connection to the keeper."""

import select
import socket

from emu.keeper.wire import Receiver, encode_frame, receive_frame


def test_a_second_frame_keeps_the_socket_readable() -> None:
    """Else whoever waits for the socket never learns that a short program has ended."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(encode_frame({"pid": 7}, b"blob") + encode_frame({"exited": 0}))
        receiver = Receiver()
        first = receive_frame(ours, receiver)
        assert first is not None
        assert (first.message, first.blob) == ({"pid": 7}, b"blob")
        assert select.select([ours], [], [], 0)[0]
        second = receive_frame(ours, receiver)
        assert second is not None
        assert second.message == {"exited": 0}
        assert not select.select([ours], [], [], 0)[0]
