"""Types of colonies and kinds of cells of the demo, after descriptions in the literature.

The types differ in the number, size, packing, spread and pigment of their cells, and in the magnification that shows
them whole.

References
----------
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
optics are choices of this project, made by eye beside photographs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class CellLook:
    """Appearance of one kind of cell in focus; strengths are absorbances (natural logarithm) before contrast.

    Attributes
    ----------
    radius : float
        Mean radius in micrometres.
    spread : float
        Coefficient of variation of the radius.
    elongation : float
        Strength of the random elongation and of the waves in the outline; 0 is round.
    body : float
        Absorbance through the middle of the cell.
    rim : float
        Absorbance of the dark rim.
    halo : float
        Reduction of absorbance in the bright ring outside the rim.
    glint : float
        Reduction of absorbance in the middle, large in refractile cells.
    grain : float
        Strength of the granules and vacuoles inside, approximately the standard deviation of absorbance.
    pigment : float
        Pigment of such a cell relative to the pigment of the colony, 0 to 1.
    """

    radius: float
    spread: float
    elongation: float = 0.05
    body: float = 0.16
    rim: float = 0.34
    halo: float = 0.16
    glint: float = 0.05
    grain: float = 0.04
    pigment: float = 0.3


@dataclass(frozen=True, kw_only=True)
class ColonyStyle:
    """Composition of one type of colony.

    Pairs are (minimum, maximum). A value is drawn between them for each colony, uniformly unless stated otherwise.

    Attributes
    ----------
    cells : tuple of int
        Number of cells, with a log-uniform distribution.
    clusters : tuple of int
        Number of clusters of cells.
    looks : tuple of (float, CellLook)
        Relative frequency and appearance of each kind of cell; the frequencies sum to 1.
    packing : tuple of float
        Fraction of the colony's volume that cells fill; 0.6 is touching spheres, 0.05 is loose, and above 1 cells
        overlap.
    flatness : tuple of float
        Height over width; 1 is a ball.
    core : tuple of float
        1 is evenly filled; a larger value concentrates the cells in the middle.
    ragged : tuple of float
        Relative depth of bays and lobes in the outline.
    stragglers : tuple of float
        Fraction of the cells that are moved outwards, by 5 to 60 % of their distance from the middle.
    spacing : float
        Distance in mean cell radii below which cells push each other apart; 2 is touching.
    evenness : int
        Number of rounds in which cells push each other apart: 1 leaves clumps, 6 gives even distances.
    pigment : tuple of float
        Absorbance of hemoglobin through one cell in blue light; 0 is colourless.
    magnification : tuple of float
        Pixels per micrometre at which such colonies are photographed.
    """

    cells: tuple[int, int]
    clusters: tuple[int, int]
    looks: tuple[tuple[float, CellLook], ...]
    packing: tuple[float, float]
    flatness: tuple[float, float]
    core: tuple[float, float]
    ragged: tuple[float, float]
    stragglers: tuple[float, float]
    spacing: float
    evenness: int
    pigment: tuple[float, float]
    magnification: tuple[float, float]


ERYTHROBLAST = CellLook(
    radius=4.4, spread=0.12, elongation=0.08, body=0.3, rim=0.3, halo=0.06, glint=0.02, grain=0.09, pigment=1
)
LYMPHOID = CellLook(radius=3.8, spread=0.05, elongation=0.03, body=0.1, rim=0.36, halo=0.2, glint=0.18, grain=0.02)
GRANULOCYTE = CellLook(radius=5.0, spread=0.16, body=0.18, rim=0.36, halo=0.18, glint=0.08, grain=0.07)
MACROPHAGE = CellLook(radius=8.5, spread=0.25, elongation=0.3, body=0.22, rim=0.28, halo=0.1, glint=0.0, grain=0.13)
MEGAKARYOCYTE = CellLook(radius=14, spread=0.2, elongation=0.12, body=0.2, rim=0.3, glint=0.0, grain=0.12)
STRAY_CELL = CellLook(radius=5.0, spread=0.35, elongation=0.1, body=0.18, rim=0.3, halo=0.18, glint=0.1, grain=0.05)

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
"""Types of colonies that can be drawn, by their usual names."""
