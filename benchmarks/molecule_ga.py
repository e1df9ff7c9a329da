"""A genetic algorithm on molecular graphs, as a peer: no model, only RDKit.

A graph-based genetic algorithm and generative model/Monte Carlo tree search for the exploration of chemical space,
2019, https://doi.org/10.1039/C8SC05372C: the same seven mutations with the same chances, the same two crossovers
(at a bond between rings and chains, and through a ring) and the same rules against strange rings, written anew. It
differs where the task does: it begins with one molecule, whose own largest ring is allowed; a child outside the wall
is dropped before the oracle is asked; a molecule that was asked for is not asked for again; and parents are drawn by
rank, since a value may be negative.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import numpy as np
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem

from dreamgen.applications.molecules.oracle import Oracle
from dreamgen.chemistry.fingerprints import fingerprints, similarities
from dreamgen.chemistry.molecules import parse, written
from dreamgen.chemistry.properties import largest_ring

T = TypeVar("T")

POPULATION = 20
MUTATION = 0.5  # share of crossovers that are followed by a mutation; alone, a molecule is always mutated
CROSSOVER = 0.3
PRESSURE = 0.25  # of the ranks: a parent of rank r has the chance ~ exp(-r / (PRESSURE * POPULATION))
GENERATION = 20  # children that the oracle is asked for before the population is chosen anew
_ATTEMPTS = 40  # children made for one that is new and within the wall, before the search is given up
_TRIES = 10
_RING = 6  # atoms of the largest ring, unless the start has a larger one


@dataclass
class Search:
    """What a search found.

    Attributes:
        best: SMILES.
        value: its true value.
        similarity: to the start.
        calls: distinct molecules that the oracle was asked for, the start among them.
    """

    best: str
    value: float
    similarity: float
    calls: int


@dataclass
class _Population:
    members: list[tuple[float, str, float]] = field(default_factory=list)  # (signed value, SMILES, similarity)

    def add(self, value: float, smiles: str, similarity: float) -> None:
        self.members.append((value, smiles, similarity))

    def cut(self) -> None:
        self.members.sort(key=lambda one: (-one[0], one[1]))
        del self.members[POPULATION:]

    def parent(self, rng: np.random.Generator) -> Chem.Mol:
        n = len(self.members)
        chance = np.exp(-np.arange(n) / (PRESSURE * POPULATION))
        return Chem.MolFromSmiles(self.members[rng.choice(n, p=chance / chance.sum())][1])


def search(start: str, oracle: Oracle, *, similarity: float, calls: int, atoms: int, seed: int) -> Search:
    """Evolve one molecule with at most so many calls of the oracle."""
    RDLogger.DisableLog("rdApp.*")
    rng, sign = np.random.default_rng(seed), oracle.goal.sign
    mol = parse(start)
    assert mol is not None
    most, widest = max(atoms, mol.GetNumHeavyAtoms()), max(_RING, largest_ring(mol))
    bits, first = fingerprints([mol]), written(mol)
    population, seen = _Population([(sign * oracle(first), first, 1.0)]), {first}
    stale = 0
    while oracle.calls < calls and stale < _ATTEMPTS * GENERATION:
        asked = 0
        while asked < GENERATION and oracle.calls < calls and stale < _ATTEMPTS * GENERATION:
            child = _child(population, rng)
            name = None if child is None else written(child)
            if child is None or name is None or name in seen:
                stale += 1
                continue
            seen.add(name)
            if child.GetNumHeavyAtoms() > most or largest_ring(child) > widest:
                stale += 1
                continue
            near = float(similarities(fingerprints([child]), bits)[0, 0])
            if near < similarity:
                stale += 1
                continue
            population.add(sign * oracle(name), name, near)
            asked, stale = asked + 1, 0
        population.cut()
    value, best, near = population.members[0]
    return Search(best, sign * value, near, oracle.calls)


def _child(population: _Population, rng: np.random.Generator) -> Chem.Mol | None:
    parent = population.parent(rng)
    if len(population.members) > 1 and rng.random() < CROSSOVER:
        crossed = crossover(parent, population.parent(rng), rng)
        if crossed is None or rng.random() >= MUTATION:
            return crossed
        return mutate(crossed, rng)
    return mutate(parent, rng)


# Mutations: reactions written as SMARTS, drawn with the chances of the paper.


def mutate(mol: Chem.Mol, rng: np.random.Generator) -> Chem.Mol | None:
    """One mutation that leaves a sound molecule; None where ten attempts found none."""
    Chem.Kekulize(mol, clearAromaticFlags=True)
    for _ in range(_TRIES):
        kind = _KINDS[rng.choice(len(_KINDS), p=_CHANCES)]
        smarts = kind(mol, rng)
        if smarts is None:
            continue
        child = _one_of([product for product, *_ in _reaction(smarts).RunReactants((mol,))], rng)
        if child is not None:
            return child
    return None


def _append_atom(mol: Chem.Mol, rng: np.random.Generator) -> str:
    bond, atoms, chance = _pick(
        rng,
        [
            ("-", ("C", "N", "O", "F", "S", "Cl", "Br"), (1 / 7,) * 7),
            ("=", ("C", "N", "O", "S"), (1 / 4,) * 4),
            ("#", ("C", "N"), (1 / 2,) * 2),
        ],
        (0.60, 0.35, 0.05),
    )
    atom = _pick(rng, atoms, chance)
    hydrogens = {"-": "!H0", "=": "!H1;!H0", "#": "H3"}[bond]
    return f"[*;{hydrogens}:1]>>[*:1]{bond}{atom}"


def _insert_atom(mol: Chem.Mol, rng: np.random.Generator) -> str:
    bond, atoms, chance = _pick(
        rng,
        [("-", ("C", "N", "O", "S"), (1 / 4,) * 4), ("=", ("C", "N"), (1 / 2,) * 2), ("#", ("C",), (1.0,))],
        (0.60, 0.35, 0.05),
    )
    atom = _pick(rng, atoms, chance)
    if bond == "-":
        return f"[*:1]~[*:2]>>[*:1]{atom}[*:2]"
    if bond == "=":
        return f"[*;!H0:1]~[*:2]>>[*:1]={atom}-[*:2]"
    return f"[*;!R;!H1;!H0:1]~[*:2]>>[*:1]#{atom}-[*:2]"


def _delete_atom(mol: Chem.Mol, rng: np.random.Generator) -> str:
    return _pick(
        rng,
        (
            "[*:1]~[D1:2]>>[*:1]",
            "[*:1]~[D2:2]~[*:3]>>[*:1]-[*:3]",
            "[*:1]~[D3:2](~[*;!H0:3])~[*:4]>>[*:1]-[*:3]-[*:4]",
            "[*:1]~[D4:2](~[*;!H0:3])(~[*;!H0:4])~[*:5]>>[*:1]-[*:3]-[*:4]-[*:5]",
            "[*:1]~[D4:2](~[*;!H0;!H1:3])(~[*:4])~[*:5]>>[*:1]-[*:3](-[*:4])-[*:5]",
        ),
        (0.25, 0.25, 0.25, 0.1875, 0.0625),
    )


def _change_bond(mol: Chem.Mol, rng: np.random.Generator) -> str:
    return _pick(
        rng,
        (
            "[*:1]!-[*:2]>>[*:1]-[*:2]",
            "[*;!H0:1]-[*;!H0:2]>>[*:1]=[*:2]",
            "[*:1]#[*:2]>>[*:1]=[*:2]",
            "[*;!R;!H1;!H0:1]~[*:2]>>[*:1]#[*:2]",
        ),
        (0.45, 0.45, 0.05, 0.05),
    )


def _delete_ring_bond(mol: Chem.Mol, rng: np.random.Generator) -> str:
    return "[*:1]@[*:2]>>([*:1].[*:2])"


def _add_ring(mol: Chem.Mol, rng: np.random.Generator) -> str:
    return _pick(
        rng,
        (
            "[*;!r;!H0:1]~[*;!r:2]~[*;!r;!H0:3]>>[*:1]1~[*:2]~[*:3]1",
            "[*;!r;!H0:1]~[*!r:2]~[*!r:3]~[*;!r;!H0:4]>>[*:1]1~[*:2]~[*:3]~[*:4]1",
            "[*;!r;!H0:1]~[*!r:2]~[*:3]~[*:4]~[*;!r;!H0:5]>>[*:1]1~[*:2]~[*:3]~[*:4]~[*:5]1",
            "[*;!r;!H0:1]~[*!r:2]~[*:3]~[*:4]~[*!r:5]~[*;!r;!H0:6]>>[*:1]1~[*:2]~[*:3]~[*:4]~[*:5]~[*:6]1",
        ),
        (0.05, 0.05, 0.45, 0.45),
    )


def _change_atom(mol: Chem.Mol, rng: np.random.Generator) -> str | None:
    names = ("#6", "#7", "#8", "#9", "#16", "#17", "#35")
    chance = (0.15, 0.15, 0.14, 0.14, 0.14, 0.14, 0.14)
    there = [name for name in names if mol.HasSubstructMatch(_pattern(f"[{name}]"))]
    if not there:
        return None
    old = there[rng.integers(len(there))]
    new = _pick(rng, names, chance)
    return None if old == new else f"[{old}:1]>>[{new}:1]"


_KINDS: Sequence[Callable[[Chem.Mol, np.random.Generator], str | None]] = (
    _insert_atom,
    _change_bond,
    _delete_ring_bond,
    _add_ring,
    _delete_atom,
    _change_atom,
    _append_atom,
)
_CHANCES = (0.15, 0.14, 0.14, 0.14, 0.14, 0.15, 0.14)


def _pick(rng: np.random.Generator, options: Sequence[T], chance: Sequence[float]) -> T:
    return options[rng.choice(len(options), p=np.array(chance) / sum(chance))]


# Crossovers.


def crossover(a: Chem.Mol, b: Chem.Mol, rng: np.random.Generator) -> Chem.Mol | None:
    """A child of a piece of each, joined; None where ten attempts found none."""
    for mol in (a, b):
        Chem.Kekulize(mol, clearAromaticFlags=True)
    for _ in range(_TRIES):
        if rng.random() < 0.5:
            pieces = [_cut_chain(mol, rng) for mol in (a, b)]
            joins: Sequence[str] = ("[*:1]-[1*].[1*]-[*:2]>>[*:1]-[*:2]",)
        else:
            pieces = [_cut_ring(mol, rng) for mol in (a, b)]
            joins = (
                "[*:1]~[1*].[1*]~[*:2]>>[*:1]-[*:2]",
                "[*:1]~[1*].[1*]~[*:2]>>[*:1]=[*:2]",
            )
        if None in pieces:
            continue
        one, other = (some[rng.integers(len(some))] for some in pieces if some)
        child = _joined(one, other, joins, rng)
        if child is not None:
            return child
    return None


def _cut_chain(mol: Chem.Mol, rng: np.random.Generator) -> tuple[Chem.Mol, ...] | None:
    bonds = mol.GetSubstructMatches(_pattern("[*]-;!@[*]"))
    return _fragments(mol, [bonds[rng.integers(len(bonds))]]) if bonds else None


def _cut_ring(mol: Chem.Mol, rng: np.random.Generator) -> tuple[Chem.Mol, ...] | None:
    smarts = "[R]@[R]@[R]@[R]" if rng.random() < 0.5 else "[R]@[R;!D2]@[R]"
    found = mol.GetSubstructMatches(_pattern(smarts))
    if not found:
        return None
    match = found[rng.integers(len(found))]
    pairs = [(match[0], match[1]), (match[2], match[3])] if len(match) == 4 else [match[:2], match[1:]]
    return _fragments(mol, pairs)


def _fragments(mol: Chem.Mol, pairs: Sequence[Sequence[int]]) -> tuple[Chem.Mol, ...] | None:
    bonds = [mol.GetBondBetweenAtoms(*pair).GetIdx() for pair in pairs]
    broken = Chem.FragmentOnBonds(mol, bonds, dummyLabels=[(1, 1)] * len(bonds))
    pieces = Chem.GetMolFrags(broken, asMols=True, sanitizeFrags=False)
    return pieces if len(pieces) == 2 else None


def _joined(a: Chem.Mol, b: Chem.Mol, joins: Sequence[str], rng: np.random.Generator) -> Chem.Mol | None:
    ring = len(joins) > 1
    products = [p[0] for p in _reaction(joins[rng.integers(len(joins))]).RunReactants((a, b))]
    if ring:  # the second cut is closed within the product
        closing = (
            "([*:1]~[1*].[1*]~[*:2])>>[*:1]-[*:2]",
            "([*:1]~[1*].[1*]~[*:2])>>[*:1]=[*:2]",
        )
        close = _reaction(closing[rng.integers(2)])
        products = [p[0] for product in products for p in close.RunReactants((product,))]
    return _one_of(products, rng)


@cache
def _reaction(smarts: str) -> AllChem.ChemicalReaction:
    return AllChem.ReactionFromSmarts(smarts)


@cache
def _pattern(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)


def _one_of(products: Sequence[Chem.Mol], rng: np.random.Generator) -> Chem.Mol | None:
    """One of the sound products, all alike in chance."""
    for place in rng.permutation(len(products)):
        child = _sound(products[place])
        if child is not None:
            return child
    return None


# What is sound.

_STRANGE = tuple(
    map(
        Chem.MolFromSmarts,
        (
            "[R]=[R]=[R]",  # an allene in a ring
            "[r3,r4]=[r3,r4]",  # a double bond in a small ring
        ),
    )
)


def _sound(mol: Chem.Mol) -> Chem.Mol | None:
    """The molecule after sanitisation; None for mixtures, leftovers of a cut, and the paper's strange rings."""
    try:
        Chem.SanitizeMol(mol)
        smiles = Chem.MolToSmiles(mol)
    except (Chem.MolSanitizeException, RuntimeError):
        return None
    if "." in smiles or "*" in smiles:
        return None
    again = Chem.MolFromSmiles(smiles)
    if again is None or not again.GetNumHeavyAtoms():
        return None
    return None if any(again.HasSubstructMatch(one) for one in _STRANGE) else again
