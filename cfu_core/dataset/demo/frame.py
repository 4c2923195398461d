"""One frame of the demo: a colony in methylcellulose under an inverted bright-field microscope.

Colonies are drawn cell by cell. A cell is a small patch of *absorbance*: a translucent body, a dark rim where
light is bent away, a bright ring around it and, for refractile cells, a bright glint in the middle. Patches
add up, so that a thick cluster has a dark core and single cells show at its edge, as in photographs. Light,
lens, dirt and sensor come from the dish and the image alone, never from the type: the types differ in the
number, size, packing, spread and pigment of their cells and in the magnification that shows them whole.

What the colonies are made of follows

- STEMCELL Technologies, *Mouse Colony-Forming Unit (CFU) Assays Using MethoCult* and *Human Colony-Forming
  Unit (CFU) Assays Using MethoCult*, technical manuals: which cells, how many, how packed;
- STEMCELL Technologies, "Colony-Forming Unit Assays with Mouse Cells",
  https://www.stemcell.com/colony-forming-cell-assays-with-mouse-cells.html: CFU-E in M3334 are counted on
  day 2, CFU pre-B in M3630 on day 7, CFU-GM in M3534 on day 12, so one dish has one type;
- B. Wognum, N. Yuan, B. Lai, C. L. Miller, "Colony forming cell assays for human hematopoietic progenitor
  cells", Methods in Molecular Biology 946 (2013) 267-283;
- N. J. Sarma, A. Takeuchi, N. R. Yaseen, "Colony forming cell (CFC) assay for human hematopoietic cells",
  Journal of Visualized Experiments 46 (2010), doi:10.3791/2195;
- J. R. Stephenson, A. A. Axelrad, D. L. McLeod, M. M. Shreeve, "Induction of colonies of
  hemoglobin-synthesizing cells by erythropoietin in vitro", PNAS 68 (1971) 1542-1546: CFU-E;
- T. R. Bradley, D. Metcalf, "The growth of mouse bone marrow cells in vitro", Australian Journal of
  Experimental Biology and Medical Science 44 (1966) 287-300: granulocytes and macrophages;
- H. Hara, M. Ogawa, "Murine hemopoietic colonies in culture containing normoblasts, macrophages, and
  megakaryocytes", American Journal of Hematology 4 (1978) 23-34: mixed colonies;
- D. Hidalgo et al., "A machine-learning approach to scoring erythroid colonies in semi-solid medium",
  Experimental Hematology (2020), doi:10.1016/j.exphem.2020.09.099: photographs of mouse CFU-E.

The sources give counts and words ("compact", "spread", "uniform"). The numbers for packing, flatness and
optics are ours, chosen by eye beside photographs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cfu_core.errors import DatasetError

FRAME_WIDTH, FRAME_HEIGHT = 1280, 960
"""Size of a frame in pixels."""

Layer = NDArray[np.float32]
Generator = np.random.Generator

_MARGIN = 160  # pixels drawn beyond each edge, so that a patch never needs clipping
_DISH_STREAM = 1_000_003  # keeps the random stream of a dish apart from that of an image
_HEMOGLOBIN = np.array([0.32, 0.86, 1.0])  # absorbance in R, G, B of a brownish-red cell, relative to B
_SPRITES = 24  # different patches drawn for one kind of cell in one frame


@dataclass(frozen=True, kw_only=True)
class CellLook:
    """How one kind of cell looks in focus; strengths are absorbances (natural logarithm) before contrast."""

    radius: float
    """Mean radius in micrometres."""
    spread: float
    """Coefficient of variation of the radius."""
    elongation: float = 0.05
    """Mean relative stretch; 0 is round."""
    body: float = 0.16
    """Absorbance through the middle of the cell."""
    rim: float = 0.34
    """Absorbance of the dark rim."""
    halo: float = 0.16
    """Gain of light in the bright ring outside the rim."""
    glint: float = 0.05
    """Gain of light in the middle: how refractile the cell is."""
    grain: float = 0.04
    """Standard deviation of the granules and vacuoles inside."""
    pigment: float = 0.3
    """Share of the colony's pigment that such a cell carries."""


@dataclass(frozen=True, kw_only=True)
class ColonyStyle:
    """What a type of colony is made of. Pairs are (least, most); sources stand at the top of the module."""

    cells: tuple[int, int]
    """Number of cells; drawn log-uniformly."""
    clusters: tuple[int, int]
    """Number of clusters that the cells gather in."""
    looks: tuple[tuple[float, CellLook], ...]
    """Kinds of cells with their share of the colony."""
    packing: tuple[float, float]
    """Share of the colony's volume that is cell; 0.6 is touching spheres, 0.05 is loose."""
    flatness: tuple[float, float]
    """Height over width; 1 is a ball."""
    core: tuple[float, float]
    """1 is evenly filled, above 1 gathers cells in the middle and thins the edge."""
    ragged: tuple[float, float]
    """Relative depth of bays and lobes in the outline."""
    stragglers: tuple[float, float]
    """Share of the cells that have wandered out of the outline."""
    spacing: float
    """Distance in mean cell radii below which cells push each other apart; 2 is touching."""
    evenness: int
    """Rounds of that pushing: 1 leaves clumps, 6 gives even distances."""
    pigment: tuple[float, float]
    """Absorbance of hemoglobin through one cell in blue light; 0 is colourless."""
    magnification: tuple[float, float]
    """Pixels per micrometre at which such colonies are photographed."""


ERYTHROBLAST = CellLook(
    radius=4.4, spread=0.12, elongation=0.08, body=0.3, rim=0.3, halo=0.06, glint=0.02, grain=0.09, pigment=1
)
LYMPHOID = CellLook(radius=3.8, spread=0.05, elongation=0.03, body=0.1, rim=0.36, halo=0.2, glint=0.18, grain=0.02)
GRANULOCYTE = CellLook(radius=5.0, spread=0.16, body=0.18, rim=0.36, halo=0.18, glint=0.08, grain=0.07)
MACROPHAGE = CellLook(radius=8.5, spread=0.25, elongation=0.3, body=0.22, rim=0.28, halo=0.1, glint=0.0, grain=0.13)
MEGAKARYOCYTE = CellLook(radius=14, spread=0.2, elongation=0.12, body=0.2, rim=0.3, glint=0.0, grain=0.12)
STRAY = CellLook(radius=5.0, spread=0.35, elongation=0.1, body=0.18, rim=0.3, halo=0.18, glint=0.1, grain=0.05)

CFU_TYPES: Mapping[str, ColonyStyle] = MappingProxyType(
    {
        # 8 to 200 erythroblasts in one or two tight clusters; mouse CFU-E on day 2 mostly 8 to 64 small cells
        "CFU-E": ColonyStyle(
            cells=(22, 180),
            clusters=(1, 2),
            looks=((1.0, ERYTHROBLAST),),
            packing=(0.7, 1.3),
            flatness=(0.6, 1.0),
            core=(1.0, 1.25),
            ragged=(0.08, 0.28),
            stragglers=(0.0, 0.03),
            spacing=1.3,
            evenness=2,
            pigment=(0.0, 0.16),
            magnification=(4.6, 6.8),
        ),
        # 30 and more granulocytes and macrophages, often hundreds; flat, spread, single cells at the edge,
        # a dense core possible, colourless
        "CFU-GM": ColonyStyle(
            cells=(140, 800),
            clusters=(1, 2),
            looks=((0.66, GRANULOCYTE), (0.34, MACROPHAGE)),
            packing=(0.05, 0.2),
            flatness=(0.2, 0.4),
            core=(1.0, 2.3),
            ragged=(0.10, 0.35),
            stragglers=(0.03, 0.14),
            spacing=1.7,
            evenness=1,
            pigment=(0.0, 0.12),
            magnification=(1.7, 2.7),
        ),
        # 30 and more small, round, uniform lymphoid cells, evenly spaced, compact or irregular, colourless
        "CFU-PreB": ColonyStyle(
            cells=(55, 330),
            clusters=(1, 2),
            looks=((1.0, LYMPHOID),),
            packing=(0.3, 0.55),
            flatness=(0.16, 0.32),
            core=(1.0, 1.2),
            ragged=(0.15, 0.45),
            stragglers=(0.0, 0.05),
            spacing=2.0,
            evenness=6,
            pigment=(0.0, 0.12),
            magnification=(3.1, 4.6),
        ),
        # more than 200 erythroblasts, a burst of several clusters, red-brown
        "BFU-E": ColonyStyle(
            cells=(260, 900),
            clusters=(3, 8),
            looks=((1.0, ERYTHROBLAST),),
            packing=(0.3, 0.5),
            flatness=(0.35, 0.6),
            core=(1.0, 1.4),
            ragged=(0.15, 0.4),
            stragglers=(0.01, 0.05),
            spacing=1.5,
            evenness=3,
            pigment=(0.05, 0.22),
            magnification=(2.0, 3.2),
        ),
        # more than 500 cells: erythroblasts with granulocytes, macrophages and some megakaryocytes
        "CFU-GEMM": ColonyStyle(
            cells=(520, 1100),
            clusters=(1, 3),
            looks=((0.5, ERYTHROBLAST), (0.32, GRANULOCYTE), (0.16, MACROPHAGE), (0.02, MEGAKARYOCYTE)),
            packing=(0.08, 0.2),
            flatness=(0.25, 0.45),
            core=(1.4, 2.4),
            ragged=(0.15, 0.4),
            stragglers=(0.03, 0.10),
            spacing=1.6,
            evenness=2,
            pigment=(0.04, 0.18),
            magnification=(1.8, 2.6),
        ),
    }
)
"""The types of colonies that can be drawn, by their usual names."""


@dataclass(frozen=True)
class Frame:
    """A drawn frame and where its colony is.

    Parameters
    ----------
    image : ndarray of uint8, shape (FRAME_HEIGHT, FRAME_WIDTH, 3)
        RGB.
    box : tuple of int
        Left, top, right, bottom of the colony's cells in pixels; right and bottom are exclusive.
    """

    image: NDArray[np.uint8]
    box: tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """Everything that does not depend on the type of colony: light, lens, sensor, dirt."""

    light: NDArray[np.float64]  # (3,) level of the empty field in R, G, B, of 255
    uneven: float  # relative depth of the unevenness of the light
    contrast: float  # factor on all absorbances: condenser aperture and stain
    flare: float  # share of light that reaches even the darkest place
    glow: float  # strength of the wide bright halo around dark things
    blur: float  # sigma in pixels of the whole frame
    noise: float  # standard deviation of the sensor, of 255
    magnification: float  # factor on the pixels per micrometre
    strays: int
    debris: int
    ghosts: int  # big things far out of focus


def draw_frame(cfu_type: str, *, seed: int, number: int, dish: int = 0) -> Frame:
    """Draw one frame.

    Parameters
    ----------
    cfu_type : str
        A key of `CFU_TYPES`.
    seed : int
        Seed of the dataset, 0 or more.
    number : int
        Number of the image within its type, 0 or more. Seed, type and number fix the colony.
    dish : int, default: 0
        Number of the dish, 0 or more. Seed and dish fix what images of one dish share: light, tint, focus, dirt.

    Returns
    -------
    Frame
        The same for the same arguments.

    Raises
    ------
    DatasetError
        `cfu_type` is unknown.
    """
    style = CFU_TYPES.get(cfu_type)
    if style is None:
        raise DatasetError(
            f"{cfu_type!r} is no type of colony that can be drawn.",
            f"Known are {', '.join(CFU_TYPES)}.",
            "Choose one of these.",
        )
    rng = np.random.default_rng([seed, list(CFU_TYPES).index(cfu_type), number])
    scene = _scene(np.random.default_rng([seed, _DISH_STREAM, dish]), rng)
    shape = (FRAME_HEIGHT + 2 * _MARGIN, FRAME_WIDTH + 2 * _MARGIN)
    grey, pigment = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    _draw_ghosts(rng, grey, scene.ghosts)
    _draw_strays(rng, grey, scene.strays)
    _draw_debris(rng, grey, scene.debris)
    box = _draw_colony(rng, grey, pigment, style, scene.magnification)
    return Frame(_expose(rng, scene, grey, pigment, box), box)


def _scene(dish: Generator, image: Generator) -> _Scene:
    """Light, lens and dirt: mostly the dish's, a little the image's."""
    level = dish.uniform(140, 215) * image.normal(1, 0.04)
    warmth, green = dish.normal(0.035, 0.035) + image.normal(0, 0.01), dish.normal(0, 0.01)
    return _Scene(
        light=np.clip(level, 105, 232) * np.array([1 + warmth, 1 + green, 1 - warmth]),
        uneven=dish.uniform(0.03, 0.13) * image.uniform(0.7, 1.3),
        contrast=float(np.exp(np.clip(dish.normal(0, 0.22) + image.normal(0, 0.14), -0.5, 0.45))),
        flare=dish.uniform(0.04, 0.16),
        glow=dish.uniform(0.05, 0.3),
        blur=dish.uniform(0.7, 1.7) + image.exponential(0.3),
        noise=dish.uniform(1.2, 4.0),
        magnification=dish.uniform(0.88, 1.14) * image.uniform(0.95, 1.05),
        strays=int(dish.gamma(2.0, 9.0) * image.uniform(0.5, 1.5)),
        debris=int(dish.gamma(2.0, 8.0) * image.uniform(0.5, 1.5)),
        ghosts=int(image.poisson(dish.uniform(0.3, 2.2))),
    )


# ---- where the cells are ----


def _draw_colony(
    rng: Generator, grey: Layer, pigment: Layer, style: ColonyStyle, zoom: float
) -> tuple[int, int, int, int]:
    """Add one colony to both layers; its box in the frame."""
    number = int(np.exp(rng.uniform(*np.log(style.cells))))
    kinds = rng.choice(len(style.looks), size=number, p=[share for share, _ in style.looks])
    radii = np.array([look.radius for _, look in style.looks])[kinds]
    places = _arrange(rng, style, radii)
    reach = np.ptp(places[:, :2], axis=0) + 2 * radii.mean()  # (2,) in micrometres
    scale = rng.uniform(*style.magnification) * zoom
    fill = np.array([0.25, rng.uniform(0.5, 0.76)]) * FRAME_HEIGHT  # the colony's size in pixels, least and most
    scale = float(np.clip(scale, *fill / reach.max()))
    places *= scale
    low, high = places[:, :2].min(axis=0), places[:, :2].max(axis=0)
    room = 0.06 * (high - low)  # the colony may leave the frame by this much
    frame = np.array([FRAME_WIDTH, FRAME_HEIGHT])
    places[:, :2] += rng.uniform(-low - room, frame - high + room)
    strength = float(np.exp(rng.normal(0, 0.22)))
    tint = rng.uniform(*style.pigment)
    extents = np.zeros(number)
    for index, (_, look) in enumerate(style.looks):
        mine = np.flatnonzero(kinds == index)
        patches = _sprites(rng, look, scale, depth=float(np.ptp(places[:, 2]) / (2 * scale * look.radius)))
        extents[mine] = _stamp(rng, grey, pigment, places[mine], patches, strength, tint * look.pigment)
    return _box(places, extents)


def _arrange(rng: Generator, style: ColonyStyle, radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places (n, 3) of cells around the origin, in micrometres; z is the depth."""
    number, radius = len(radii), float(radii.mean())
    clusters = int(rng.integers(style.clusters[0], style.clusters[1] + 1))
    which = np.sort(rng.choice(clusters, size=number, p=rng.dirichlet(np.full(clusters, 4.0))))
    packing, flatness, core = (
        rng.uniform(*style.packing),
        rng.uniform(*style.flatness),
        rng.uniform(*style.core),
    )
    places = np.zeros((number, 3))
    for cluster in range(clusters):
        mine = which == cluster
        width = radius * (max(int(mine.sum()), 1) / (packing * flatness)) ** (1 / 3)
        centre = rng.normal(0, 1, 2)
        centre *= (0 if cluster == 0 else rng.uniform(0.8, 1.5)) * width * np.sqrt(clusters / 2) / np.hypot(*centre)
        places[mine] = _lump(rng, int(mine.sum()), core, rng.uniform(*style.ragged)) * width
        places[mine, 2] *= flatness
        places[mine, :2] += centre
    wander = rng.random(number) < rng.uniform(*style.stragglers)
    places[wander, :2] *= rng.uniform(1.05, 1.6, (int(wander.sum()), 1))
    return _push_apart(rng, places, style.spacing * radius, style.evenness)


def _lump(rng: Generator, number: int, core: float, ragged: float) -> NDArray[np.float64]:
    """Random places (number, 3) in a unit ball whose outline has bays and lobes."""
    places = rng.normal(0, 1, (number, 3))
    places *= rng.random((number, 1)) ** (core / 3) / np.linalg.norm(places, axis=1, keepdims=True)
    angle = np.arctan2(places[:, 1], places[:, 0])
    waves = np.arange(2, 6)
    outline = np.cos(np.outer(angle, waves) + rng.uniform(0, 2 * np.pi, 4)) @ rng.normal(0, ragged, 4) / 2
    places[:, :2] *= np.clip(1 + outline, 0.5, 1.6)[:, None]
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.35)
    along = np.array([np.cos(turn), np.sin(turn)])
    places[:, :2] += (stretch - 1) * np.outer(places[:, :2] @ along, along)
    return places


def _push_apart(rng: Generator, places: NDArray[np.float64], least: float, rounds: int) -> NDArray[np.float64]:
    """Move cells that are closer than `least` apart, `rounds` times."""
    for _ in range(rounds):
        pairs = cKDTree(places).query_pairs(least, output_type="ndarray")
        if not len(pairs):
            break
        first, second = pairs[:, 0], pairs[:, 1]
        gap = places[first] - places[second] + rng.normal(0, 1e-6, (len(pairs), 3))
        distance = np.linalg.norm(gap, axis=1, keepdims=True)
        push = 0.3 * (least - distance) * gap / distance
        np.add.at(places, first, push)
        np.add.at(places, second, -push)
    return places


def _box(places: NDArray[np.float64], extents: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """The smallest box around all that the frame shows of the cells."""
    low, high = places[:, :2] - extents[:, None], places[:, :2] + extents[:, None]
    frame = np.array([FRAME_WIDTH, FRAME_HEIGHT])
    shown = ((high > 0) & (low < frame)).all(axis=1)
    left, top = np.floor(low[shown].min(axis=0).clip(0)).astype(int).tolist()
    right, bottom = np.ceil(high[shown].max(axis=0).clip(max=frame)).astype(int).tolist()
    return left, top, right, bottom


# ---- what one cell looks like ----


@dataclass(frozen=True)
class _Sprites:
    """Patches of one kind of cell, from sharpest to most out of focus."""

    absorbance: Layer  # (count, side, side)
    body: Layer  # (count, side, side), 0 to 1: where pigment would be
    extents: NDArray[np.float64]  # (count,) outer radius in pixels


def _sprites(rng: Generator, look: CellLook, scale: float, depth: float, count: int = _SPRITES) -> _Sprites:
    """`count` patches of cells of one look at `scale` pixels per micrometre; `depth` in cell radii blurs the last."""
    radii = look.radius * scale * np.clip(rng.normal(1, look.spread, count), 0.6, 1.7)
    half = int(min(np.ceil(1.9 * radii.max() + 4), _MARGIN - 2))
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    turn = rng.uniform(0, np.pi, count)
    stretch = 1 + np.abs(rng.normal(0, look.elongation, count))
    along = _column(np.cos(turn)) * x + _column(np.sin(turn)) * y
    across = _column(np.cos(turn)) * y - _column(np.sin(turn)) * x
    rho = np.sqrt((along / _column(stretch)) ** 2 + (across * _column(stretch)) ** 2) / _column(radii)
    angle = np.arctan2(across, along)
    for wave in (2, 3, 5):
        rho *= 1 + 0.25 * look.elongation * np.cos(wave * angle + _column(rng.uniform(0, 6, count)))
    body = np.sqrt(np.clip(1 - rho**2, 0, 1))
    grain = rng.standard_normal(rho.shape, dtype=np.float32)
    patches = look.body * body + look.rim * _ring(rho, 0.88, 0.13) - look.halo * _ring(rho, 1.16, 0.15)
    patches -= _column(rng.uniform(0.4, 1.6, count)) * look.glint * np.exp(-((rho / 0.5) ** 2))
    for index, (patch, level) in enumerate(zip(patches, np.linspace(0, 1, count) ** 1.5, strict=True)):
        fine = 0.11 * radii[index]
        patch += 3.5 * fine * look.grain * cv2.GaussianBlur(grain[index], (0, 0), fine) * body[index]
        blur = 0.09 * radii[index] * depth * level
        if blur > 0.4:
            patch[:] = cv2.GaussianBlur(patch, (0, 0), min(blur, 0.45 * radii[index]))
    return _Sprites(patches.astype(np.float32), body.astype(np.float32), radii * stretch)


def _column(values: NDArray[np.float64]) -> Layer:
    """Values (n,) shaped (n, 1, 1) to go with patches."""
    return values.astype(np.float32)[:, None, None]


def _ring(rho: Layer, middle: float, width: float) -> Layer:
    return np.exp(-(((rho - middle) / width) ** 2))


def _stamp(
    rng: Generator,
    grey: Layer,
    pigment: Layer | None,
    places: NDArray[np.float64],
    sprites: _Sprites,
    strength: float,
    tint: float = 0.0,
) -> NDArray[np.float64]:
    """Add a patch at every place (n, 3), deeper ones less sharp; the outer radius (n,) of each in pixels."""
    count, side, _ = sprites.absorbance.shape
    depth = np.abs(places[:, 2])
    chosen = depth / max(float(depth.max(initial=0)), 1e-6) * count + rng.uniform(-3, 3, len(places))
    chosen = np.clip(chosen, 0, count - 1).astype(int)
    gains = np.clip(rng.normal(1, 0.2, len(places)), 0.4, 1.7).astype(np.float32)
    corners = np.rint(places[:, :2]).astype(int) + _MARGIN - side // 2
    height, width = grey.shape
    for (left, top), index, gain in zip(corners, chosen, gains, strict=True):
        if 0 <= left <= width - side and 0 <= top <= height - side:
            window = np.s_[top : top + side, left : left + side]
            grey[window] += (strength * gain) * sprites.absorbance[index]
            if pigment is not None and tint > 0:
                pigment[window] += (tint * gain) * sprites.body[index]
    return sprites.extents[chosen]


# ---- what else is in the gel ----


def _somewhere(rng: Generator, number: int) -> NDArray[np.float64]:
    """Places (number, 3) anywhere in and just around the frame; z from -1 to 1."""
    low, high = [-60, -60, -1], [FRAME_WIDTH + 60, FRAME_HEIGHT + 60, 1]
    return rng.uniform(low, high, (number, 3))


def _draw_strays(rng: Generator, grey: Layer, number: int) -> None:
    """Single cells, pairs and small groups that belong to no colony, at all depths."""
    places = _somewhere(rng, number)
    scale = rng.uniform(1.8, 3.6)
    groups = rng.integers(0, max(number, 1), number // 2)
    mates = places[groups] + np.append(rng.normal(0, 9 * scale, (number // 2, 2)), np.zeros((number // 2, 1)), axis=1)
    sprites = _sprites(rng, STRAY, scale, depth=rng.uniform(4, 12))
    _stamp(rng, grey, None, np.concatenate([places, mates]), sprites, float(rng.uniform(0.5, 1.3)))


def _draw_debris(rng: Generator, grey: Layer, number: int) -> None:
    """Specks and now and then a fibre."""
    for x, y, z in _somewhere(rng, number):
        centre = (int(x) + _MARGIN, int(y) + _MARGIN)
        axes = (int(rng.uniform(2, 8)), int(rng.uniform(1, 5)))
        cv2.ellipse(grey, centre, axes, rng.uniform(0, 180), 0, 360, 0.3 + 0.3 * z, -1, cv2.LINE_AA)
    if rng.random() < 0.3:
        steps = np.cumsum(rng.normal(rng.normal(0, 5, 2), 2.5, (rng.integers(12, 40), 2)), axis=0)
        line = np.rint(steps + _somewhere(rng, 1)[0, :2] + _MARGIN).astype(np.int32)
        cv2.polylines(grey, [line], False, rng.uniform(0.15, 0.5), int(rng.integers(2, 5)), cv2.LINE_AA)


def _draw_ghosts(rng: Generator, grey: Layer, number: int) -> None:
    """Cells, colonies and bubbles far above or below the focus: wide, soft, bright or dark, drawn at an eighth."""
    height, width = grey.shape
    small = np.zeros((height // 8, width // 8), np.float32)
    y, x = np.mgrid[: small.shape[0], : small.shape[1]].astype(np.float32)
    for place in (_somewhere(rng, number)[:, :2] + _MARGIN) / 8:
        reach = rng.uniform(3, 17)
        rho = np.hypot(x - place[0], (y - place[1]) * rng.uniform(0.7, 1.4)) / reach
        small += rng.normal(0, 0.13) * np.exp(-(rho**2)) + rng.normal(0, 0.05) * _ring(rho, 1.3, 0.3)
    mottle = np.asarray(rng.standard_normal(small.shape, dtype=np.float32))
    small += 0.03 * cv2.GaussianBlur(mottle, (0, 0), 2.5)
    grey += cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


# ---- light, lens and sensor ----


def _expose(
    rng: Generator, scene: _Scene, grey: Layer, pigment: Layer, box: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    """The RGB frame that a camera would take of these absorbances; pigment counts inside the box alone."""
    size = (FRAME_WIDTH, FRAME_HEIGHT)
    inner = np.s_[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    colony = np.s_[box[1] : box[3], box[0] : box[2]]
    quarter = cv2.resize(grey[inner], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    wide = cv2.resize(cv2.GaussianBlur(quarter, (0, 0), 5), size, interpolation=cv2.INTER_LINEAR)
    glow = scene.contrast * scene.glow
    passed = cv2.exp(cv2.addWeighted(grey[inner], -scene.contrast - glow, wide, glow, 0))
    passed = cv2.GaussianBlur(passed, (0, 0), scene.blur)
    red = cv2.GaussianBlur(pigment[inner][colony], (0, 0), scene.blur)
    noise = _noise(rng, scene.noise)
    field = _light_field(rng, scene.uneven)
    channels = []
    for light, absorbed, part in zip(scene.light, _HEMOGLOBIN, field, strict=True):
        shade = cv2.resize(np.asarray(part * light, np.float32), size, interpolation=cv2.INTER_CUBIC)
        seen = cv2.multiply(passed, shade, scale=1 - scene.flare)
        seen[colony] *= cv2.exp(-scene.contrast * absorbed * red)
        seen = cv2.scaleAdd(shade, scene.flare, seen)
        channels.append(cv2.add(seen, noise, dtype=cv2.CV_8U))
    return np.asarray(cv2.merge(channels), np.uint8)


def _noise(rng: Generator, level: float) -> Layer:
    """Noise of the sensor over the frame, softened a little as a camera's interpolation of colours does."""
    white = np.asarray(rng.standard_normal((FRAME_HEIGHT, FRAME_WIDTH), dtype=np.float32))
    kernel = cv2.getGaussianKernel(3, 0.6).astype(np.float32)
    return np.asarray(cv2.sepFilter2D(white, -1, kernel * 1.7 * level, kernel), np.float32)


def _light_field(rng: Generator, uneven: float) -> Layer:
    """Relative light (3, 15, 20) over the frame: a slope, a vignette off the middle, a trace of colour."""
    y, x = np.mgrid[-0.75:0.75:15j, -1:1:20j]
    slope, centre = rng.normal(0, 0.45, 2), rng.normal(0, 0.35, 2)
    vignette = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
    field = 1 - uneven * (0.7 * vignette + slope[0] * x + slope[1] * y)
    tints = rng.normal(0, 0.05, (3, 1, 1)) * uneven * vignette
    return (field + tints).astype(np.float32)
