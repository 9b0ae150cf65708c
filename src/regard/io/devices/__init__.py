"""Folders of known devices as Recordings; one file a device, which is found because it lies here."""

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from regard.errors import FileError
from regard.io.devices.device import Container, Device


@cache
def devices() -> tuple[Device, ...]:
    """What the modules of this package call `DEVICE`, by name; nothing depends on their order."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    return tuple(sorted((m.DEVICE for m in modules if hasattr(m, "DEVICE")), key=lambda device: device.name))


def device_of(folder: Path) -> Device | None:
    """Whose files a folder holds; None where it is no device's, or a gaze.csv comes before them.

    Raises FileError where it holds those of two.
    """
    has_table = (folder / "gaze.csv").is_file()
    found = [device for device in devices() if device.is_folder(folder) and not (has_table and device.yields)]
    if len(found) > 1:
        raise FileError(
            folder,
            found=f"files of {' and of '.join(device.name for device in found)}",
            wanted="a recording as one of them wrote it",
            do="move the files of each to a folder of its own",
        )
    return found[0] if found else None


def container_of(path: Path) -> Container | None:
    """What shows and plays a file that FFmpeg does not read; None for any other."""
    suffix = path.suffix.lower()
    return next((d.container for d in devices() if d.container and d.container.suffix == suffix), None)
