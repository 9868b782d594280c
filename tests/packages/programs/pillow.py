"""Pictures: drawn, written as PNG, JPEG and WebP, read again and compared (libraries beside the extension modules)."""

import io

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, features

DISTRIBUTIONS = ["pillow"]
NEEDED = ["jpg", "zlib", "freetype2", "webp"]


def work():
    """Draw, encode, decode and compare."""
    assert all(features.check(name) for name in NEEDED), [name for name in NEEDED if not features.check(name)]
    picture = _drawn()
    again, size = _through(picture, "PNG")
    assert again.tobytes() == picture.tobytes()
    yield f"PNG: {size} bytes, every pixel the same"
    again, size = _through(picture, "JPEG", quality=95, subsampling=0)
    error = max(high for _, high in ImageChops.difference(again, picture).filter(ImageFilter.BoxBlur(2)).getextrema())
    assert 0 < error < 40, error
    yield f"JPEG: {size} bytes, colours off by {error} at most"
    again, size = _through(picture, "WEBP", lossless=True)
    assert again.tobytes() == picture.tobytes()
    yield f"WebP without loss: {size} bytes"
    half = picture.resize((60, 40), Image.Resampling.LANCZOS)
    assert half.size == (60, 40)
    assert half.getpixel((5, 5)) == (255, 0, 0)
    try:
        Image.open(io.BytesIO(b"no picture")).load()
    except OSError as error:
        yield f"FreeType {features.version('freetype2')}, libjpeg {features.version('jpg')}; refused: {str(error)[:30]}"
    else:
        raise AssertionError("what is no picture was read")


def _drawn():
    picture = Image.new("RGB", (120, 80), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 39, 79), fill=(255, 0, 0))
    draw.ellipse((50, 10, 109, 69), fill=(0, 0, 255), outline="black")
    blank = picture.copy()
    draw.text((44, 60), "Ada", font=ImageFont.load_default(16), fill="black")
    box = ImageChops.difference(picture, blank).getbbox()
    assert box is not None and box[2] - box[0] > 15, box
    assert picture.getpixel((20, 40)) == (255, 0, 0)
    assert picture.getpixel((80, 40)) == (0, 0, 255)
    return picture


def _through(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    size = stream.tell()
    stream.seek(0)
    again = Image.open(stream)
    assert again.format == kind
    return again.convert("RGB"), size
