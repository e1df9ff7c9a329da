"""Images out of files and folders."""

import contextlib
import io
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from dreamgen.data.dataset import Array, Labels
from dreamgen.errors import DataError
from dreamgen.files import is_bomb

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
# Only these decoders: Pillow would hand a PostScript file called a.png to another program, which runs it.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


def image_files(path: Path) -> list[Path]:
    """All images below a folder, in the order of their names; raises DataError where there are none."""
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file())
    if not files:
        raise DataError(f"{path}: the folder holds no images ({', '.join(IMAGE_SUFFIXES)})")
    return files


def labels_by_folder(path: Path, files: Sequence[Path]) -> tuple[Labels | None, tuple[str, ...]]:
    """Labels and their names where each image lies in a subfolder, which is its class; else None."""
    if any(file.parent == path for file in files):
        return None, ()
    folders = [file.parent.relative_to(path).as_posix() for file in files]
    classes = tuple(sorted(set(folders)))
    number = {name: place for place, name in enumerate(classes)}
    return np.array([number[folder] for folder in folders]), classes


def read_folder(path: Path) -> tuple[Array, Labels | None, tuple[str, ...]]:
    """All images below a folder, (n, height, width[, 3]) bytes, and labels where each image lies in a subfolder.

    Raises:
        DataError: no images, one that cannot be read, or two sizes; the text names the files.
    """
    files = image_files(path)
    pictures: list[Array] = []
    size = sum(file.stat().st_size for file in files)
    for file in files:
        pictures.append(read_image(file))
        if pictures[-1].shape != pictures[0].shape:
            both = f"{files[0]} is {size_of(pictures[0].shape)}, {file} is {size_of(pictures[-1].shape)}"
            if pictures[-1].shape[:2] == pictures[0].shape[:2]:
                raise DataError(f"images of mixed channels: {both}")
            raise DataError(f"images of mixed sizes: {both}; --size 64 brings them to one size")
        if is_bomb(unfolded := len(files) * pictures[0].nbytes, size):
            raise DataError(f"{path}: images of {size} bytes unfold to {unfolded}, as a bomb does")
    return np.stack(pictures), *labels_by_folder(path, files)


def size_of(shape: Sequence[int]) -> str:
    """Height, width and channels, for messages."""
    return "x".join(map(str, shape))


def read_image(path: Path) -> Array:
    """One image as bytes: (height, width) if grey, (height, width, 3) if coloured. Raises DataError."""
    return decode_image(path, str(path))


def decode_image(source: Path | bytes, name: str) -> Array:
    """One image out of a file or its content, as bytes: (height, width) if grey, (height, width, 3) if coloured.

    It is turned as the camera was held, where the file says how.

    Args:
        source: a path, or what the file holds.
        name: for messages.

    Raises:
        DataError: it is no image, cut short, or asks for more memory than a picture needs.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about transparency, which is dropped
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=_FORMATS) as image:
                return _as_bytes(_upright(image))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{name}: refused, its header asks for more memory than a picture needs: {error}") from error
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise DataError(f"{name}: not a readable image: {error}") from error


def _upright(image: Image.Image) -> Image.Image:
    """The image as the camera was held, where it says how; a damaged note of that is no reason to refuse it."""
    image.load()  # of a PNG, looking for the note would, and a damaged picture is one
    with contextlib.suppress(OSError, ValueError, SyntaxError, LookupError, TypeError, ArithmeticError, struct.error):
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            return ImageOps.exif_transpose(image)
    return image


def _as_bytes(image: Image.Image) -> Array:
    # Pillow's own conversion of 16 bits to 8 cuts off at 255 and leaves everything white.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
    if image.mode in ("I", "F"):
        raise DataError(f"expected an image of 8 or 16 bits, got numbers without a range (mode {image.mode})")
    return np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
