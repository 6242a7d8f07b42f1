#!/bin/sh
# The first process of the machine that `machine.py` boots; RESULTS is that one's folder.
# The outer machine's files are read-only here; what is written goes to memory, but for RESULTS.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp
cp "$RESULTS/places" /dev/places
mount -t proc proc /proc
mount -t sysfs sys /sys
# Hidden: the sockets and the running networks of the outer machine.
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ip link set lo up
# Visible again: the source and the interpreter, where they lie below /tmp.
while read -r place; do
    mkdir -p "$place"
    mount -t hostfs -o "ro,$place" none "$place"
done </dev/places
mkdir -p "$RESULTS"
mount -t hostfs -o "$RESULTS" none "$RESULTS"
sh "$RESULTS/command"
echo $? >"$RESULTS/status"
umount "$RESULTS"
echo o >/proc/sysrq-trigger
sleep 60 # this process must not end before the machine does
