"""Images out of files and folders."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from dreamgen.data.dataset import Array, Labels
from dreamgen.errors import DataError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
_FREE, _RATIO = 1 << 30, 250  # a folder may unfold to a gibibyte, or to so many times its own size
# Only these decoders: Pillow would hand a PostScript file called a.png to another program, which runs it.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


def read_folder(path: Path) -> tuple[Array, Labels | None, tuple[str, ...]]:
    """All images below a folder, (n, height, width[, 3]) bytes, and labels where each image lies in a subfolder.

    Raises:
        DataError: no images, one that cannot be read, or two sizes; the text names the files.
    """
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file())
    if not files:
        raise DataError(f"{path}: the folder holds no images ({', '.join(IMAGE_SUFFIXES)})")
    pictures: list[Array] = []
    size = sum(file.stat().st_size for file in files)
    for file in files:
        pictures.append(read_image(file))
        if pictures[-1].shape != pictures[0].shape:
            raise DataError(
                f"images of mixed sizes: {files[0]} is {_size(pictures[0])}, {file} is {_size(pictures[-1])}; "
                "resize them to one size first"
            )
        if (unfolded := len(files) * pictures[0].nbytes) > max(_FREE, _RATIO * size):
            raise DataError(f"{path}: images of {size} bytes unfold to {unfolded}, as a bomb does")
    if any(file.parent == path for file in files):
        return np.stack(pictures), None, ()
    folders = [file.parent.relative_to(path).as_posix() for file in files]
    classes = tuple(sorted(set(folders)))
    return np.stack(pictures), np.array([classes.index(folder) for folder in folders]), classes


def _size(picture: Array) -> str:
    return "x".join(map(str, picture.shape))


def read_image(path: Path) -> Array:
    """One image as bytes: (height, width) if grey, (height, width, 3) if coloured. Raises DataError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about transparency, which is dropped
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                return _as_bytes(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: refused, its header asks for more memory than a picture needs: {error}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise DataError(f"{path}: not a readable image: {error}") from error


def _as_bytes(image: Image.Image) -> Array:
    # Pillow's own conversion of 16 bits to 8 cuts off at 255 and leaves everything white.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
    if image.mode in ("I", "F"):
        raise DataError(f"expected an image of 8 or 16 bits, got numbers without a range (mode {image.mode})")
    return np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
