"""The address space as an SVG picture, to scale: the pools, the free space, and the existing VPCs that overlap.

A bar is a pool, from its first address to its last. If little of a pool is used, a thin bar shows the whole pool, and a
second bar shows the used part, enlarged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from colorsys import hls_to_rgb
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import groupby, pairwise
from math import dist
from textwrap import wrap
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from commands.existing_vpcs.vpcs import Existing, Vpc
from commands.plan.simulation import Blocks
from commands.plan.space import Space
from commands.terminal import plain
from ctipam.pools.spec import PoolKey, PoolSpec

WIDTH, MARGIN = 1000, 20
BAR, VERTICAL_BAR, THIN_BAR, LANE, NAMES, ENLARGED = 36, 104, 12, 6, 11, 14
LINE, GAP, LETTER, SMALL_LETTER = 18, 16, 6.3, 5.2
"""Pixels. LETTER is the average width of a character at font size 11, SMALL_LETTER at 9."""

SHORTEST_NAME = 4
"""Characters of a name of a VPC, below which only its tooltip has it."""

LEGEND = 250
"""Maximum width of a name in the legend, in pixels."""

SENTENCE = int((WIDTH - 2 * MARGIN) / LETTER)
"""Characters of a line of full width."""

BOLD = 0.9 * (WIDTH - 2 * MARGIN)
"""Pixels of a bold line of full width, whose characters are wider."""

REGION_COLOR, FREE, VPC = "#b8c4d6", "#f4f4f4", "#d1242f"
COLORS = ("#9ecae1", "#a1d99b", "#fdd0a2", "#dadaeb", "#f7b6d2", "#c7e9e4", "#ffe699", "#d9c3a5", "#c9d6a3", "#ababab")
"""The colors of the first environments, in their order. `_colors` finds others for further ones."""

HUES, LIGHTNESSES, SATURATION = 36, (0.67, 0.77, 0.87), 0.6
"""The colors to choose from for further environments: light enough for black text."""

ENLARGE_BELOW = 1 / 4
"""The share of a pool's addresses below which the used part is drawn enlarged."""


@dataclass(frozen=True)
class Area:
    """A part of a bar.

    lines   the text in it, as far as it fits
    title   the tooltip
    """

    block: IPv4Network
    lines: tuple[str, ...]
    title: str
    color: str


class Canvas:
    """A picture that grows downward; y is the position of the next shape."""

    def __init__(self) -> None:
        self.svg = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
        self.svg.attrib |= {"font-family": "sans-serif", "font-size": "11"}
        self.y: float = MARGIN

    def shape(self, kind: str, text: str = "", /, **attributes: object) -> Element:
        return _add(self.svg, kind, text, **attributes)

    def text(self, line: str, **style: object) -> None:
        """Add a line of text."""
        self.y += LINE
        self.shape("text", line, x=MARGIN, y=self.y - 5, **style)

    def rectangle(self, x: float, width: float, height: float, fill: str, title: str, **style: object) -> None:
        """Add a rectangle with a tooltip."""
        added = self.shape("rect", x=x, y=self.y, width=max(width, 0.5), height=height, fill=fill, **style)
        _add(added, "title", title)

    def to_svg(self) -> str:
        height = self.y + MARGIN
        size = {"viewBox": f"0 0 {WIDTH} {height:.0f}", "width": str(WIDTH), "height": f"{height:.0f}"}
        self.svg.attrib |= size
        indent(self.svg)
        return tostring(self.svg, encoding="unicode")


def _add(parent: Element, kind: str, text: str = "", /, **attributes: object) -> Element:
    """Add an element and return it. Attributes have the names of SVG, with underscores for hyphens."""
    svg_attributes = {name.replace("_", "-"): _to_text(value) for name, value in attributes.items()}
    added = SubElement(parent, kind, svg_attributes)
    added.text = plain(text) or None  # XML has no room for most control characters
    return added


def _to_text(value: object) -> str:
    return f"{value:.2f}".removesuffix(".00") if isinstance(value, float) else str(value)


def draw(spec: PoolSpec, blocks: Blocks, existing: Existing) -> str:
    """Return the text of an SVG file."""
    canvas, vpcs, space = Canvas(), existing.vpcs, Space(spec, blocks)
    canvas.shape("title", f"Address space {_listed(spec.top_cidrs)}, to scale")
    _draw_background(canvas)
    colors = dict(zip(spec.environments, _colors(len(spec.environments)), strict=True))
    regions = [area for region in spec.regions for area in _areas(PoolKey(region), blocks, REGION_COLOR)]
    room = _room({spec.region_prefix_length: space.more_blocks_of_regions})
    _draw_pool(canvas, "Address space", spec.top_cidrs, room, regions, vpcs)
    for region in spec.regions:
        canvas.y += GAP
        areas = [area for name, color in colors.items() for area in _areas(PoolKey(region, name), blocks, color)]
        _draw_pool(canvas, region, blocks[PoolKey(region)], _room(space.room_in(region)), areas, vpcs)
    canvas.y += GAP
    _draw_legend(canvas, colors, vpcs)
    for line in (line for sentence in existing.unread for line in wrap(sentence, SENTENCE, break_on_hyphens=False)):
        canvas.text(line)
    return canvas.to_svg()


def _colors(number: int) -> list[str]:
    """Return a color for each environment. Each further one is as far from all others as possible."""
    chosen = [*COLORS]
    others = [_rgb(color) for color in (*COLORS, REGION_COLOR, FREE, VPC)]
    candidates = [
        tuple(round(255 * part) for part in hls_to_rgb(hue / HUES, lightness, SATURATION))
        for hue in range(HUES)
        for lightness in LIGHTNESSES
    ]
    while len(chosen) < number:
        farthest = max(candidates, key=lambda color: min(dist(color, other) for other in others))
        others.append(farthest)
        chosen.append("#{:02x}{:02x}{:02x}".format(*farthest))
    return chosen[:number]


def _rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color.removeprefix("#")))


def _draw_background(canvas: Canvas) -> None:
    """Draw a white background, and define the pattern of free space."""
    pattern = _add(canvas.shape("defs"), "pattern", id="free", width=6, height=6, patternUnits="userSpaceOnUse")
    pattern.set("patternTransform", "rotate(45)")
    _add(pattern, "rect", width=6, height=6, fill=FREE)
    _add(pattern, "rect", width=1, height=6, fill="#dcdcdc")
    canvas.shape("rect", width="100%", height="100%", fill="white")


def _room(numbers: Mapping[int, int]) -> str:
    """Return how many more blocks fit, by prefix length, in words."""
    fitting = [f"{number:,} more of /{size}" for size, number in numbers.items() if number]
    return f"room for {', or '.join(fitting)}" if fitting else "no room for more"


def _listed(blocks: Iterable[IPv4Network]) -> str:
    return " + ".join(map(str, blocks))


def _areas(key: PoolKey, blocks: Blocks, color: str) -> list[Area]:
    name = key.environment or key.region
    where = f"{name} in {key.region}" if key.environment else name
    return [
        Area(block, (name, str(block)), f"{where}: {block}, {block.num_addresses:,} addresses", color)
        for block in blocks[key]
    ]


def _draw_pool(
    canvas: Canvas, name: str, blocks: Sequence[IPv4Network], room: str, areas: Sequence[Area], vpcs: Sequence[Vpc]
) -> None:
    """Draw a bar for each block of a pool, below its name. Several bars have the same width whatever their sizes.

    Of several blocks, those of which nothing is used are only listed: a pool may have fifty.
    """
    addresses = sum(block.num_addresses for block in blocks)
    canvas.text(_cut(f"{name}: {_listed(blocks)}: {addresses:,} addresses, {room}", BOLD), font_weight="bold")
    used = [*(area.block for area in areas), *(vpc.cidr for vpc in vpcs)]
    empty = [block for block in blocks if not any(block.overlaps(one) for one in used)] if len(blocks) > 1 else []
    for block in (block for block in blocks if block not in empty):
        if len(blocks) > 1:
            canvas.text(f"{block}: {block.num_addresses:,} addresses", font_size=9, fill="#555555")
        _draw_block(canvas, block, [area for area in areas if area.block.subnet_of(block)], vpcs)
    if empty:
        canvas.text(_cut(f"empty: {_listed(empty)}", WIDTH - 2 * MARGIN), font_size=9, fill="#555555")


def _draw_block(canvas: Canvas, pool: IPv4Network, areas: Sequence[Area], vpcs: Sequence[Vpc]) -> None:
    part = _part_in_use(pool, [area.block for area in areas]) if areas else pool
    if part.num_addresses >= pool.num_addresses * ENLARGE_BELOW:
        _draw_bar(canvas, pool, areas, vpcs, _height(pool, areas))
        return
    _draw_bar(canvas, pool, areas, vpcs, THIN_BAR)
    _draw_rays(canvas, pool, part)
    _draw_bar(canvas, part, areas, vpcs, _height(part, areas))


def _draw_rays(canvas: Canvas, pool: IPv4Network, part: IPv4Network) -> None:
    """Connect a part of the pool's bar with the bar that enlarges it."""
    label = f"{part}, {pool.num_addresses // part.num_addresses:,} times larger"
    left, width = _position(pool, part)
    corners = [(left, 0), (left + width, 0), (WIDTH - MARGIN, ENLARGED), (MARGIN, ENLARGED)]
    points = " ".join(f"{x:.1f},{canvas.y + y:.1f}" for x, y in corners)
    canvas.shape("polygon", points=points, fill="#eeeeee")
    right, bottom = WIDTH - MARGIN, canvas.y + ENLARGED - 3
    canvas.shape("text", label, x=right, y=bottom, text_anchor="end", font_size=9, fill="#555555")
    canvas.y += ENLARGED


def _part_in_use(pool: IPv4Network, used: Sequence[IPv4Network]) -> IPv4Network:
    """Return the smallest block of the pool that contains all used blocks."""
    part = used[0]
    while not all(block.subnet_of(part) for block in used):
        part = part.supernet()
    return part if part.subnet_of(pool) else pool


def _draw_bar(canvas: Canvas, pool: IPv4Network, areas: Iterable[Area], vpcs: Iterable[Vpc], height: float) -> None:
    free = pool.num_addresses - sum(area.block.num_addresses for area in areas)
    canvas.rectangle(MARGIN, WIDTH - 2 * MARGIN, height, "url(#free)", f"{free:,} addresses are free")
    for area in areas:
        x, width = _position(pool, area.block)
        canvas.rectangle(x, width, height, area.color, area.title, stroke="white", stroke_width=0.5)
        if height > THIN_BAR:
            _write(canvas, x, width, height, area.lines)
    canvas.y += height
    _draw_vpcs(canvas, pool, [vpc for vpc in vpcs if vpc.cidr.overlaps(pool)])


def _draw_vpcs(canvas: Canvas, pool: IPv4Network, vpcs: Sequence[Vpc]) -> None:
    """Draw the VPCs in a lane below the bar, so that its text stays legible, with their names as far as they fit.

    VPCs of the same CIDR share a tooltip and a name.
    """
    drawn: list[tuple[float, str]] = []
    for cidr, same in groupby(sorted(vpcs), lambda vpc: vpc.cidr):
        x, width = _position(pool, cidr if cidr.subnet_of(pool) else pool)
        labels = "; ".join(vpc.label for vpc in same if vpc.label)
        canvas.rectangle(x, max(width, 2), LANE, VPC, f"existing VPC {cidr} {labels}".rstrip())
        drawn.append((x, labels or str(cidr)))
    canvas.y += LANE if vpcs else 0
    _draw_names(canvas, drawn)


def _draw_names(canvas: Canvas, names: Sequence[tuple[float, str]]) -> None:
    """Write names in a line, each to the right of its x and to the left of the next name."""
    written = False
    for (x, name), (end, _) in pairwise([*names, (WIDTH - MARGIN, "")]):
        letters = int((end - x) / SMALL_LETTER) - 1
        if letters >= min(SHORTEST_NAME, len(name)):
            text = name if len(name) <= letters else name[: letters - 1] + "…"
            canvas.shape("text", text, x=x, y=canvas.y + NAMES - 2, font_size=9, fill=VPC)
            written = True
    canvas.y += NAMES if written else 0


def _position(pool: IPv4Network, block: IPv4Network) -> tuple[float, float]:
    """Return the left edge and the width of the block in the bar of the pool."""
    scale = (WIDTH - 2 * MARGIN) / pool.num_addresses
    first = int(block.network_address) - int(pool.network_address)
    return MARGIN + first * scale, block.num_addresses * scale


def _height(pool: IPv4Network, areas: Iterable[Area]) -> float:
    """Return the height of the bar: higher if a CIDR is wider than its area and must be vertical. Names can be cut."""
    horizontal = all(len(str(area.block)) * LETTER < _position(pool, area.block)[1] for area in areas)
    return BAR if horizontal else VERTICAL_BAR


def _write(canvas: Canvas, x: float, width: float, height: float, lines: Sequence[str]) -> None:
    """Write the lines that fit, each cut to the room there is."""
    center, middle = x + width / 2, canvas.y + height / 2
    vertical = height == VERTICAL_BAR
    room, across = (height, width) if vertical else (width, height)
    fitting = [_cut(line, room) for line in lines][: int(across // (LINE * 0.75))]
    turn: dict[str, object] = {"transform": f"rotate(-90 {center:.1f} {middle:.1f})"} if vertical else {}
    for number, line in enumerate(fitting):
        y = middle + (number - (len(fitting) - 1) / 2) * LINE * 0.75 + 4
        canvas.shape("text", line, x=center, y=y, text_anchor="middle", **turn)


def _cut(line: str, room: float) -> str:
    letters = int(room / LETTER)
    return line if len(line) <= letters else line[: max(letters - 1, 0)] + "…"


def _draw_legend(canvas: Canvas, colors: Mapping[str, str], vpcs: Sequence[Vpc]) -> None:
    entries = [*colors.items(), ("free", "url(#free)")] + ([("existing VPC", VPC)] if vpcs else [])
    x = float(MARGIN)
    for whole_name, color in entries:
        name = _cut(whole_name, LEGEND)
        wide = 20 + (len(name) + 2) * LETTER
        if x + wide > WIDTH - MARGIN:
            x, canvas.y = float(MARGIN), canvas.y + LINE
        canvas.rectangle(x, 12, 12, color, whole_name)
        canvas.shape("text", name, x=x + 17, y=canvas.y + 10)
        x += wide
    canvas.y += LINE
