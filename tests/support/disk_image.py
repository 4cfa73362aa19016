"""A file system on a loop device whose power can be cut (`xfs_io -x -c shutdown`, ext4 and xfs; needs root)."""

import contextlib
import ctypes
import os
import subprocess
import time
from typing import Any

# xfs refuses less than 300 MB; the files are sparse
_NEW_MOUNT_NAMESPACE = 0x20000  # CLONE_NEWNS
_SIZES = {"ext4": 128 << 20, "xfs": 320 << 20}
_PATIENCE = 60.0  # seconds


class DiskImage:
    """Made in the folder `folder`, mounted at `mount_point` inside the block."""

    def __init__(self, kind: str, folder: str, size: int = 0) -> None:
        """`size` in octets; 0: small."""
        self._kind = kind
        self._size = size or _SIZES[kind]
        self._file = os.path.join(folder, "image")
        self.mount_point = os.path.join(folder, "disk")

    def __enter__(self) -> "DiskImage":
        """Mounts are seen by this process and its children only: a namespace another program makes meanwhile would
        keep a copy, and the file system would never really be unmounted.
        """
        assert ctypes.CDLL(None).unshare(_NEW_MOUNT_NAMESPACE) == 0
        _run("mount", "--make-rprivate", "/")
        os.makedirs(self.mount_point, exist_ok=True)
        with open(self._file, "wb") as image:
            image.truncate(self._size)
        _run(f"mkfs.{self._kind}", "-q", *(["-F"] if self._kind == "ext4" else ["-f"]), self._file)
        self._mount()
        return self

    def __exit__(self, *_: Any) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("umount", "-l", self.mount_point)

    def lose_power(self) -> None:
        """From now on nothing reaches the disk, and what had not reached it is gone."""
        _run("xfs_io", "-x", "-c", "shutdown", self.mount_point)

    def restart(self) -> None:
        """Mount it as after a power loss: the file system recovers its own journal."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                _run("umount", self.mount_point)
                break
            except subprocess.CalledProcessError:  # a killed process takes a moment to let go
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", self._file, self.mount_point)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def available() -> bool:
    """Whether this machine lets us mount a loop device."""
    return os.geteuid() == 0 and os.path.exists("/dev/loop-control")
