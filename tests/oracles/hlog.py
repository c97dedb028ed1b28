"""An independent reader of the HdrHistogram log and its V2 encoding, written from their descriptions alone.

A line is ``Tag=TAG,START_S,LENGTH_S,MAX,BASE64``. The base64 holds a cookie, a length and zlib data; inflated, a header
of 40 bytes (cookie, length, offset, digits, lowest, highest, ratio) and ZigZag LEB128 counts, a negative one standing
for so many zeros. With 3 digits a value is kept to 11 bits: bucket i of the first 2048 is i, then every 1024 buckets
are twice as wide.
"""

import base64
import re
import struct
import zlib


def integers(data):
    """ZigZag LEB128 numbers; a ninth byte holds eight bits."""
    number = shift = 0
    for byte in data:
        last = shift == 56
        number |= (byte if last else byte & 0x7F) << shift
        shift += 7
        if last or byte < 0x80:
            yield number >> 1 if number % 2 == 0 else -(number >> 1) - 1
            number = shift = 0


def lowest_value(bucket):
    """Lowest value of a bucket."""
    return bucket if bucket < 2048 else (1024 + bucket % 1024) << (bucket // 1024 - 1)


def decode(text):
    """Count by lowest value of each bucket that is not empty."""
    outer = base64.b64decode(text)
    assert struct.unpack(">ii", outer[:8]) == (0x1C849304 | 0x10, len(outer) - 8)
    inner = zlib.decompress(outer[8:])
    cookie, length, _offset, digits, lowest, highest, _ratio = struct.unpack(">iiiiqqd", inner[:40])
    assert (cookie, length, digits, lowest, highest) == (0x1C849303 | 0x10, len(inner) - 40, 3, 1, 60_000_000)
    bucket, counts = 0, {}
    for n in integers(inner[40:]):
        if n > 0:
            counts[lowest_value(bucket)] = n
        bucket += max(1, -n)
    return counts


def read(path):
    """Every whole line as (tag, start_s, length_s, max, counts)."""
    for line in path.read_bytes().decode().split("\n")[:-1]:
        if line.startswith("Tag="):
            tag, start, length, top, blob = line.removeprefix("Tag=").split(",")
            raw = re.sub(rb"%(..)", lambda found: bytes([int(found[1], 16)]), tag.encode())
            yield raw.decode(), float(start), float(length), float(top), decode(blob)
