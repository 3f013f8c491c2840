"""The address space as an SVG picture, to scale: what is given to whom, what is free, and which VPCs are in the way.

A bar is a pool, from its first address to its last. Where little of a pool is used, a thin bar shows how little, and a
second one that part alone, enlarged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import groupby
from textwrap import wrap
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from commands.vpcs import Existing, Vpc
from ctipam.pools.spec import PoolKey, PoolSpec

WIDTH, MARGIN = 1000, 20
BAR, UPRIGHT_BAR, THIN_BAR, LANE, ENLARGED = 36, 104, 12, 6, 14
LINE, GAP, LETTER = 18, 16, 6.3
"""Pixels; a letter is as wide as that on average, at 11 pixels."""

LEGEND = 250
"""Pixels that a name in the legend takes at most."""

SENTENCE = int((WIDTH - 2 * MARGIN) / LETTER)
"""Letters of a line that goes all the way across."""

REGION_COLOUR, FREE, VPC = "#b8c4d6", "#f4f4f4", "#d1242f"
COLOURS = ("#9ecae1", "#a1d99b", "#fdd0a2", "#dadaeb", "#f7b6d2", "#c7e9e4", "#ffe699", "#d9c3a5", "#c9d6a3", "#e0e0e0")
"""Of the environments, in their order; from the eleventh on they begin again."""

ENLARGE_BELOW = 1 / 4
"""Of a pool's addresses: if what is used lies in less, that part is drawn enlarged."""


@dataclass(frozen=True)
class Area:
    """A part of a bar. lines: what is written into it, as far as there is room; title: what the pointer is told."""

    block: IPv4Network
    lines: tuple[str, ...]
    title: str
    colour: str


class Canvas:
    """A picture that grows from the top down; y is where the next shape goes."""

    def __init__(self) -> None:
        self.svg = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
        self.svg.attrib |= {"font-family": "sans-serif", "font-size": "11"}
        self.y: float = MARGIN

    def shape(self, kind: str, words: str = "", /, **attributes: object) -> Element:
        return _add(self.svg, kind, words, **attributes)

    def text(self, words: str, **style: object) -> None:
        """A line across."""
        self.y += LINE
        self.shape("text", words, x=MARGIN, y=self.y - 5, **style)

    def rectangle(self, x: float, width: float, height: float, fill: str, title: str, **style: object) -> None:
        """title: what the pointer is told."""
        made = self.shape("rect", x=x, y=self.y, width=max(width, 0.5), height=height, fill=fill, **style)
        _add(made, "title", title)

    def written(self) -> str:
        height = self.y + MARGIN
        size = {"viewBox": f"0 0 {WIDTH} {height:.0f}", "width": str(WIDTH), "height": f"{height:.0f}"}
        self.svg.attrib |= size
        indent(self.svg)
        return tostring(self.svg, encoding="unicode")


def _add(parent: Element, kind: str, words: str = "", /, **attributes: object) -> Element:
    """Attributes as SVG has them, with an underscore for a hyphen."""
    named = {name.replace("_", "-"): _number_or_words(value) for name, value in attributes.items()}
    made = SubElement(parent, kind, named)
    made.text = words or None
    return made


def _number_or_words(value: object) -> str:
    return f"{value:.2f}".removesuffix(".00") if isinstance(value, float) else str(value)


def draw(plan: PoolSpec, blocks: Mapping[PoolKey, IPv4Network], existing: Existing) -> str:
    """A whole SVG file."""
    canvas, vpcs = Canvas(), existing.vpcs
    canvas.shape("title", f"Address space {plan.top_cidr}, to scale")
    _draw_background(canvas)
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(plan.environments)}
    canvas.text(f"{plan.top_cidr}: {plan.top_cidr.num_addresses:,} addresses", font_weight="bold")
    regions = [_area(PoolKey(region), blocks, REGION_COLOUR) for region in plan.regions]
    _draw_pool(canvas, plan.top_cidr, regions, vpcs)
    for region in plan.regions:
        pool = blocks[PoolKey(region)]
        canvas.y += GAP
        canvas.text(f"{region}: {pool}", font_weight="bold")
        areas = [_area(PoolKey(region, name), blocks, colour) for name, colour in colours.items()]
        _draw_pool(canvas, pool, areas, vpcs)
    canvas.y += GAP
    _draw_legend(canvas, colours, vpcs)
    for line in (line for sentence in existing.unread for line in wrap(sentence, SENTENCE, break_on_hyphens=False)):
        canvas.text(line)
    return canvas.written()


def _draw_background(canvas: Canvas) -> None:
    """White, and a pattern for what is free."""
    pattern = _add(canvas.shape("defs"), "pattern", id="free", width=6, height=6, patternUnits="userSpaceOnUse")
    pattern.set("patternTransform", "rotate(45)")
    _add(pattern, "rect", width=6, height=6, fill=FREE)
    _add(pattern, "rect", width=1, height=6, fill="#dcdcdc")
    canvas.shape("rect", width="100%", height="100%", fill="white")


def _area(key: PoolKey, blocks: Mapping[PoolKey, IPv4Network], colour: str) -> Area:
    block, name = blocks[key], key.environment or key.region
    where = f"{name} in {key.region}" if key.parent else name
    return Area(block, (name, str(block)), f"{where}: {block}, {block.num_addresses:,} addresses", colour)


def _draw_pool(canvas: Canvas, pool: IPv4Network, areas: Sequence[Area], vpcs: Sequence[Vpc]) -> None:
    part = _part_in_use(pool, [area.block for area in areas])
    if part.num_addresses >= pool.num_addresses * ENLARGE_BELOW:
        _draw_bar(canvas, pool, areas, vpcs, _height(pool, areas))
        return
    _draw_bar(canvas, pool, areas, vpcs, THIN_BAR)
    _draw_rays(canvas, pool, part)
    _draw_bar(canvas, part, areas, vpcs, _height(part, areas))


def _draw_rays(canvas: Canvas, pool: IPv4Network, part: IPv4Network) -> None:
    """From the part of the pool's bar to the bar in which it is enlarged."""
    words = f"{part}, {pool.num_addresses // part.num_addresses:,} times larger"
    left, width = _place(pool, part)
    corners = [(left, 0), (left + width, 0), (WIDTH - MARGIN, ENLARGED), (MARGIN, ENLARGED)]
    points = " ".join(f"{x:.1f},{canvas.y + y:.1f}" for x, y in corners)
    canvas.shape("polygon", points=points, fill="#eeeeee")
    right, bottom = WIDTH - MARGIN, canvas.y + ENLARGED - 3
    canvas.shape("text", words, x=right, y=bottom, text_anchor="end", font_size=9, fill="#555555")
    canvas.y += ENLARGED


def _part_in_use(pool: IPv4Network, used: Sequence[IPv4Network]) -> IPv4Network:
    """The smallest block of the pool that holds all that is used."""
    part = used[0]
    while not all(block.subnet_of(part) for block in used):
        part = part.supernet()
    return part if part.subnet_of(pool) else pool


def _draw_bar(canvas: Canvas, pool: IPv4Network, areas: Iterable[Area], vpcs: Iterable[Vpc], height: float) -> None:
    free = pool.num_addresses - sum(area.block.num_addresses for area in areas)
    canvas.rectangle(MARGIN, WIDTH - 2 * MARGIN, height, "url(#free)", f"{free:,} addresses are free")
    for area in areas:
        x, width = _place(pool, area.block)
        canvas.rectangle(x, width, height, area.colour, area.title, stroke="white", stroke_width=0.5)
        if height > THIN_BAR:
            _write(canvas, x, width, height, area.lines)
    canvas.y += height
    _draw_vpcs(canvas, pool, [vpc for vpc in vpcs if vpc.cidr.overlaps(pool)])


def _draw_vpcs(canvas: Canvas, pool: IPv4Network, vpcs: Sequence[Vpc]) -> None:
    """In a lane of their own below the bar, so that its words stay legible. The pointer is told all of one place."""
    for cidr, same in groupby(sorted(vpcs), lambda vpc: vpc.cidr):
        x, width = _place(pool, cidr if cidr.subnet_of(pool) else pool)
        labels = "; ".join(vpc.label for vpc in same if vpc.label)
        canvas.rectangle(x, max(width, 2), LANE, VPC, f"existing VPC {cidr} {labels}".rstrip())
    canvas.y += LANE if vpcs else 0


def _place(pool: IPv4Network, block: IPv4Network) -> tuple[float, float]:
    """Where in the bar of the pool the block begins, and how wide it is."""
    scale = (WIDTH - 2 * MARGIN) / pool.num_addresses
    first = int(block.network_address) - int(pool.network_address)
    return MARGIN + first * scale, block.num_addresses * scale


def _height(pool: IPv4Network, areas: Iterable[Area]) -> float:
    """More, if a CIDR is wider than its area and has to stand upright. Names can be cut."""
    wide_enough = all(len(str(area.block)) * LETTER < _place(pool, area.block)[1] for area in areas)
    return BAR if wide_enough else UPRIGHT_BAR


def _write(canvas: Canvas, x: float, width: float, height: float, lines: Sequence[str]) -> None:
    """Each line as far as there is room; where there is none, the title has to do."""
    centre, middle = x + width / 2, canvas.y + height / 2
    upright = height == UPRIGHT_BAR
    room, across = (height, width) if upright else (width, height)
    fitting = [_cut(line, room) for line in lines][: int(across // (LINE * 0.75))]
    turn: dict[str, object] = {"transform": f"rotate(-90 {centre:.1f} {middle:.1f})"} if upright else {}
    for number, line in enumerate(fitting):
        y = middle + (number - (len(fitting) - 1) / 2) * LINE * 0.75 + 4
        canvas.shape("text", line, x=centre, y=y, text_anchor="middle", **turn)


def _cut(line: str, room: float) -> str:
    letters = int(room / LETTER)
    return line if len(line) <= letters else line[: max(letters - 1, 0)] + "…"


def _draw_legend(canvas: Canvas, colours: Mapping[str, str], vpcs: Sequence[Vpc]) -> None:
    entries = [*colours.items(), ("free", "url(#free)")] + ([("existing VPC", VPC)] if vpcs else [])
    x = float(MARGIN)
    for whole_name, colour in entries:
        name = _cut(whole_name, LEGEND)
        wide = 20 + (len(name) + 2) * LETTER
        if x + wide > WIDTH - MARGIN:
            x, canvas.y = float(MARGIN), canvas.y + LINE
        canvas.rectangle(x, 12, 12, colour, whole_name)
        canvas.shape("text", name, x=x + 17, y=canvas.y + 10)
        x += wide
    canvas.y += LINE
