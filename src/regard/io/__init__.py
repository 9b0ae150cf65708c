"""Files to nouns and back: video and sound by time, recordings, tables; nothing half-written is left behind."""

from regard.io.files import writing
from regard.io.film_writer import FilmWriter
from regard.io.media import Video
from regard.io.sound import Sound, has_sound

__all__ = ["FilmWriter", "Sound", "Video", "has_sound", "writing"]
