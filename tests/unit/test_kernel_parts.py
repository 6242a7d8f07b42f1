"""What is said of parts that a kernel lacks, on kernels that are made up."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from emu import kernel_parts
from emu.kernel_parts import Kernel, Part, state_of, way_out

NETEM, VRF, IFB = Part("sch_netem", "NET_SCH_NETEM"), Part("vrf", "NET_VRF"), Part("ifb", "IFB")
ON_DISK = frozenset({"sch_netem", "vrf", "ifb"})
OWN = frozenset({"ext4"})  # that any module is known tells that this system brings the kernel


@pytest.mark.parametrize(
    ("kernel", "parts", "way"),
    [
        (Kernel("6.1", loadable=ON_DISK), (NETEM,), "'sudo modprobe sch_netem'"),
        (Kernel("6.1", loadable=ON_DISK), (NETEM, VRF), "'sudo modprobe -a sch_netem vrf'"),
        (
            Kernel("6.1", loadable=ON_DISK, loaded=frozenset({"vrf"})), (NETEM, VRF),
            "'sudo modprobe sch_netem'",
        ),
        (Kernel("6.1", loadable=ON_DISK), (IFB,), "'sudo modprobe ifb numifbs=0'"),
        (Kernel("6.1", loadable=ON_DISK), (IFB, VRF), "'sudo modprobe ifb numifbs=0 && sudo modprobe vrf'"),
        (
            Kernel("6.1", loadable=ON_DISK, sealed=True), (NETEM,),
            "restart, since kernel.modules_disabled is 1, then 'sudo modprobe sch_netem'",
        ),
        (
            Kernel("6.8.0-45-generic", builtin=OWN, system=("ubuntu", "debian"), installer="apt"), (NETEM,),
            "'sudo apt install linux-modules-extra-$(uname -r)'",
        ),
        (
            Kernel("6.11.3-200.fc40.x86_64", builtin=OWN, system=("fedora",), installer="dnf"), (NETEM,),
            "'sudo dnf install kernel-modules-extra-$(uname -r)'",
        ),
        (
            Kernel("5.15.90.1-microsoft-standard-WSL2", builtin=OWN, system=("ubuntu",)), (NETEM,),
            "'wsl --update' in Windows, or a kernel of your own with CONFIG_NET_SCH_NETEM",
        ),
        (
            Kernel("6.1", system=("ubuntu",), config=frozenset({"NET_SCH_NETEM"})), (NETEM,),
            "'sudo modprobe sch_netem' on the machine that this container runs on",
        ),
        (
            Kernel("6.18"), (NETEM, VRF, IFB),
            "boot a kernel with CONFIG_NET_SCH_NETEM, CONFIG_NET_VRF and CONFIG_IFB, "
            "such as a distribution's own",
        ),
        (
            Kernel("6.18-fc", config=frozenset({"IFB"})), (IFB, VRF),
            "boot a kernel with CONFIG_NET_VRF, such as a distribution's own",
        ),
    ],
)  # fmt: skip
def test_way_out(kernel: Kernel, parts: tuple[Part, ...], way: str) -> None:
    assert way_out(parts, kernel) == way


@pytest.mark.parametrize(
    ("kernel", "state"),
    [
        (Kernel("6.1", loadable=ON_DISK), "module not loaded"),
        (Kernel("6.1", config=frozenset({"NET"})), "CONFIG_NET_SCH_NETEM is not set"),
        (Kernel("6.1"), "absent"),
    ],
)
def test_state(kernel: Kernel, state: str) -> None:
    assert state_of((NETEM,), kernel) == state


def test_kernel_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    modules = tmp_path / "lib" / "modules" / "6.1-test"
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text(
        "kernel/net/sched/sch_netem.ko.zst: kernel/x.ko.zst\n"
        "kernel/drivers/net/vrf.ko:\nextra/my-mod.ko.xz:\n"
    )
    (modules / "modules.builtin").write_text("kernel/net/8021q/8021q.ko\n")
    (tmp_path / "proc" / "sys" / "kernel").mkdir(parents=True)
    (tmp_path / "proc" / "sys" / "kernel" / "modules_disabled").write_text("1\n")
    (tmp_path / "proc" / "modules").write_text("vrf 16384 0 - Live 0x0\n")
    (tmp_path / "proc" / "config.gz").write_bytes(
        gzip.compress(b'# CONFIG_A is not set\nCONFIG_NET_SCH_NETEM=m\nCONFIG_VETH=y\nCONFIG_TEXT="y m"\n')
    )
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "os-release").write_text('NAME="Ubuntu"\nID=ubuntu\nID_LIKE="debian"\n')

    def within(*parts: str) -> Path:
        return tmp_path / Path(*parts).relative_to("/")

    monkeypatch.setattr(kernel_parts, "Path", within)
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release="6.1-test"))
    kernel_parts._config.cache_clear()
    try:
        kernel = kernel_parts.read_kernel()
    finally:
        kernel_parts._config.cache_clear()
    assert kernel.loadable == {"sch_netem", "vrf", "my_mod"}
    assert kernel.loaded == {"vrf"}
    assert kernel.builtin == {"8021q"}
    assert kernel.config == {"NET_SCH_NETEM", "VETH"}
    assert (kernel.sealed, kernel.system) == (True, ("ubuntu", "debian"))
