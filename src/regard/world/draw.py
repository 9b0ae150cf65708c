"""Pictures of a script: what the scene camera on the wearer's head shows at any moment."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from regard.world.bodies import PALM
from regard.world.camera import PERSON_SIZE, SceneCamera, walked
from regard.world.script import Script, scale_at
from regard.world.solid import Colour, Sprite
from regard.world.stage import EDGE_Y, SPAN, canvas_pixel, counter, room
from regard.world.things import COUNTER_PITCH_DEG, HAIR, POTTERY, SKIN, SLEEVES, sprites

HAND_SIZE = 1.3
HAND_AT = (0.035, 0.05)
"""Where a right hand is held beside what it works on, so that both are seen; the left one mirrors it."""
FLICKER_S = 0.16
SHUTTER_S = 1 / 100
MAX_EXPOSURES = 6
"""How long the shutter is open, and of how many pictures a blurred one is mixed at most."""
PHONE_HALVES = (0.055, 0.075)


class Pose(NamedTuple):
    """Where, how large and how turned a sprite is put into the world."""

    x: float
    y: float
    size: float
    turn: float = 0.0
    mirrored: bool = False


class Painter:
    """Draws frames of one script as one camera sees it."""

    def __init__(self, rng: np.random.Generator, script: Script, camera: SceneCamera) -> None:
        self.script, self.camera = script, camera
        self.scale = camera.focal_px
        skin = rng.integers(len(SKIN), size=2)
        sleeve = rng.integers(len(SLEEVES), size=2)
        self.own: dict[str, Colour] = {
            "pottery": POTTERY[rng.integers(len(POTTERY))],
            "skin": SKIN[skin[0]],
            "sleeve": SLEEVES[sleeve[0]],
        }
        hair = HAIR[rng.integers(len(HAIR) if skin[1] < 2 else 2)]
        self.visitor: dict[str, Colour] = {"skin": SKIN[skin[1]], "sleeve": SLEEVES[sleeve[1]], "hair": hair}
        self.room, self.counter = room(rng, self.scale), counter(rng, self.scale)
        self.screen = tuple(int(c) for c in rng.integers(90, 256, 3))
        self.baked: tuple[object, Image.Image] | None = None
        self.vignette = _vignette(camera.size)
        self.sprites: dict[tuple[str, str], tuple[Sprite, Sprite]] = {}

    def frames(self, times_s: Float[np.ndarray, "n"]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """The pictures at these moments, in order."""
        for time_s in times_s:
            yield self.frame(float(time_s))

    def frame(self, time_s: float) -> UInt8[np.ndarray, "h w 3"]:
        """The picture at one moment."""
        rotation, earlier = self.camera.head.rotations(np.array([time_s, time_s - SHUTTER_S]))
        stage = self._stage(time_s)
        picture = self._seen(stage, rotation)
        blur = min(MAX_EXPOSURES, int(np.abs(rotation - earlier).max() * self.scale / 0.8))
        for exposure in range(1, blur):
            partly = rotation + (earlier - rotation) * exposure / blur
            picture = Image.blend(picture, self._seen(stage, partly), 1 / (exposure + 1))
        self._add_moving(picture, rotation, time_s)
        lit = np.asarray(picture, np.uint8).astype(np.uint16) * self.vignette >> 8
        return lit.astype(np.uint8)

    def _seen(self, stage: Image.Image, rotation: np.ndarray) -> Image.Image:
        height, width = self.camera.size
        to_canvas = np.array([[self.scale, 0, SPAN[0] * self.scale], [0, self.scale, SPAN[1] * self.scale], [0, 0, 1]])
        matrix = to_canvas @ self.camera.to_world(rotation)
        coefficients = tuple((matrix / matrix[2, 2]).ravel()[:8])
        return stage.transform((width, height), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)

    def _stage(self, time_s: float) -> Image.Image:
        """Everything that stands still now, on the canvas; painted anew only when something of it changes."""
        moment = np.array([time_s])
        standing = []
        for number, thing in enumerate(self.script.things):
            x, y = thing.path.at(moment)[0, :2]
            if not self._moves(number, time_s):
                standing.append((number, x, y, time_s >= thing.cut_s))
        visit = self.script.visit
        person = None
        if visit is not None and visit.start_s <= time_s <= visit.end_s:
            person = (round(walked(visit, time_s), 3), str(visit.yaw_deg(time_s)))
        key = (tuple(standing), person)
        if self.baked is None or self.baked[0] != key:
            stage = self.room.copy()
            if person is not None:
                sprite = self._sprite("person", person[1])[0]
                self._paste_upright(stage, sprite, person[0], EDGE_Y, PERSON_SIZE)
            stage.paste(self.counter, (0, 0), self.counter)
            self._phone(stage)
            placed = [(y, x, self.script.things[n].noun, "cut" if cut else "whole") for n, x, y, cut in standing]
            for y, x, noun, state in sorted([*placed, (self.script.jar[1], self.script.jar[0], "jar", "whole")]):
                solid, shadow = self._sprite(noun, state)
                self._paste_upright(stage, shadow, x, y, scale_at(y))
                self._paste_upright(stage, solid, x, y, scale_at(y))
            self.baked = (key, stage)
        return self.baked[1]

    def _moves(self, number: int, time_s: float) -> bool:
        path = self.script.things[number].path
        near = path.at(np.array([time_s - 0.02, time_s, time_s + 0.02]))
        return bool(np.abs(near - near[1]).max() > 1e-7 or near[1, 2] > 1e-6)

    def _add_moving(self, picture: Image.Image, rotation: np.ndarray, time_s: float) -> None:
        moment = np.array([time_s])
        self._flicker(picture, rotation, time_s)
        hands = [(side, *self.script.hand_at(side, moment)[0]) for side in ("left", "right")]
        hands.sort(key=lambda hand: hand[2])
        for side, x, y, lift, _ in hands:
            shadow = self._sprite("hand", self.script.grip(side, time_s))[1]
            self._paste(picture, rotation, shadow, _hand(side, x + 0.25 * lift, y + 0.1 * lift, 0.0))
        for number, thing in enumerate(self.script.things):
            if self._moves(number, time_s):
                x, y, lift, turn = thing.path.at(moment)[0]
                size = scale_at(y)
                solid, shadow = self._sprite(thing.noun, "cut" if time_s >= thing.cut_s else "whole")
                self._paste(picture, rotation, shadow, Pose(x + 0.3 * lift, y + 0.1 * lift, size, turn))
                self._paste(picture, rotation, solid, Pose(x, y - lift * size, size, turn))
        self._stream(picture, rotation, time_s)
        for side, x, y, lift, turn in hands:
            solid = self._sprite("hand", self.script.grip(side, time_s))[0]
            self._paste(picture, rotation, solid, _hand(side, x, y - lift * scale_at(y), turn))

    def _stream(self, picture: Image.Image, rotation: np.ndarray, time_s: float) -> None:
        """What is being poured, from just above the receiver into it."""
        for work in self.script.works:
            if work.verb == "pour" and work.start_s <= time_s < work.end_s:
                x, y, _, _ = self.script.things[work.thing].path.at(np.array([time_s]))[0]
                scale = scale_at(y)
                ends = [self.camera.pixel(rotation, x, y - scale * up) for up in (0.18, 0.06)]
                width = max(1, round(0.016 * self.scale))
                ImageDraw.Draw(picture).line([tuple(end) for end in ends], fill=(214, 232, 240), width=width)

    def _phone(self, stage: Image.Image) -> None:
        x, y = self.script.phone
        dx, dy = PHONE_HALVES
        corners = (*canvas_pixel(x - dx, y - dy, self.scale), *canvas_pixel(x + dx, y + dy, self.scale))
        ImageDraw.Draw(stage).rounded_rectangle(corners, radius=0.012 * self.scale, fill=(22, 22, 26))

    def _flicker(self, picture: Image.Image, rotation: np.ndarray, time_s: float) -> None:
        """A phone that keeps lighting up: salient, moving in its way, and never looked at."""
        x, y = self.script.phone
        dx, dy = (0.86 * half for half in PHONE_HALVES)
        bright = int(time_s / FLICKER_S) % 3 != 0
        colour = self.screen if bright else tuple(c // 4 for c in self.screen)
        corners = [
            tuple(self.camera.pixel(rotation, x + sx * dx, y + sy * dy))
            for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        ImageDraw.Draw(picture).polygon(corners, fill=colour)

    def _sprite(self, kind: str, state: str) -> tuple[Sprite, Sprite]:
        if (kind, state) not in self.sprites:
            colours = self.visitor if kind == "person" else self.own
            size = HAND_SIZE if kind == "hand" else 1.0
            self.sprites[kind, state] = sprites(kind, state, colours, scale=self.scale * size)
        return self.sprites[kind, state]

    def _paste_upright(self, stage: Image.Image, sprite: Sprite, x: float, y: float, size: float) -> None:
        ratio = size * self.scale / sprite.scale
        _warp(stage, sprite, np.array([[ratio, 0], [0, ratio]]), canvas_pixel(x, y, self.scale))

    def _paste(self, picture: Image.Image, rotation: np.ndarray, sprite: Sprite, pose: Pose) -> None:
        """Into the picture, by the projection's linear part around the anchor."""
        step = 0.01
        here = self.camera.pixel(rotation, pose.x, pose.y)
        right = self.camera.pixel(rotation, pose.x + step, pose.y) - here
        down = self.camera.pixel(rotation, pose.x, pose.y + step) - here
        linear = np.stack([right, down], axis=1) @ _turned(pose)
        _warp(picture, sprite, linear * (pose.size / step / sprite.scale), tuple(here))


def palms(script: Script, side: str, time_s: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 2"]:
    """Where the middle of a hand's palm is drawn at each moment, as a tangent position of the world."""
    pitch = np.deg2rad(COUNTER_PITCH_DEG)
    right, up, near = PALM
    aside = np.array([right, near * np.sin(pitch) - up * np.cos(pitch)])
    found = []
    for x, y, lift, turn in script.hand_at(side, time_s):
        pose = _hand(side, x, y - lift * scale_at(y), turn)
        found.append((pose.x, pose.y) + pose.size * _turned(pose) @ aside)
    return np.array(found).reshape(-1, 2)


def _turned(pose: Pose) -> Float[np.ndarray, "2 2"]:
    cos, sin = np.cos(pose.turn), np.sin(pose.turn)
    return np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if pose.mirrored else 1.0, 1.0])


def _hand(side: str, x: float, y: float, turn: float) -> Pose:
    size = scale_at(y) * HAND_SIZE
    aside = HAND_AT[0] * size * (-1 if side == "left" else 1)
    return Pose(x + aside, y + HAND_AT[1] * size, size, turn * 0.5, mirrored=side == "left")


def _warp(picture: Image.Image, sprite: Sprite, linear: np.ndarray, anchor: tuple[float, float]) -> None:
    """Paste the sprite with its pixels carried by `linear` around its anchor, which comes to lie at `anchor`."""
    offset = np.array(anchor) - linear @ sprite.anchor
    width, height = sprite.image.size
    corners = linear @ np.array([[0, width, 0, width], [0, 0, height, height]]) + offset[:, None]
    x0, y0 = np.maximum(np.floor(corners.min(axis=1)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=1)), picture.size).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    back = np.linalg.inv(linear)
    shift = back @ (np.array([x0, y0]) - offset)
    coefficients = (back[0, 0], back[0, 1], shift[0], back[1, 0], back[1, 1], shift[1])
    warped = sprite.image.transform((x1 - x0, y1 - y0), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    picture.paste(warped, (x0, y0), warped)


def _vignette(size: tuple[int, int]) -> UInt8[np.ndarray, "h w 1"]:
    y, x = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]), indexing="ij")
    return (255 * (1 - 0.16 * np.clip((x * x + y * y) / 2, 0, 1) ** 1.3))[..., None].astype(np.uint8)
