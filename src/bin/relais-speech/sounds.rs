//! How near one sentence sounds to another: Korean as it is pronounced, other languages letter by letter.

use std::sync::LazyLock;

/// A consonant or vowel as the Hangul Compatibility Jamo that writes it, a glide, or a letter of another script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    letter: char,
    /// Its place in the table.
    place: u8,
}

impl From<char> for Sound {
    fn from(letter: char) -> Sound {
        Sound { letter, place: Table::place(letter) }
    }
}

const FINALS: [&str; 28] = [
    "", "ㄱ", "ㄲ", "ㄱㅅ", "ㄴ", "ㄴㅈ", "ㄴㅎ", "ㄷ", "ㄹ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹㅎ",
    "ㅁ", "ㅂ", "ㅂㅅ", "ㅅ", "ㅆ", "ㅇ", "ㅈ", "ㅊ", "ㅋ", "ㅌ", "ㅍ", "ㅎ",
];
const INITIALS: &str = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
/// Diphthongs as a glide and a vowel; ㅔ, ㅚ and ㅞ sound like ㅐ and ㅙ to most speakers.
const VOWELS: [&str; 21] = [
    "ㅏ", "ㅐ", "ʲㅏ", "ʲㅐ", "ㅓ", "ㅐ", "ʲㅓ", "ʲㅐ", "ㅗ", "ʷㅏ", "ʷㅐ", "ʷㅐ", "ʲㅗ", "ㅜ", "ʷㅓ", "ʷㅐ", "ʷㅣ",
    "ʲㅜ", "ㅡ", "ㅣ", "ㅣ",
];
const SILENT: char = 'ㅇ';

/// A Hangul syllable's parts (Unicode 3.12, "Hangul Syllable Decomposition").
struct Syllable {
    initial: char,
    vowel: &'static str,
    end: &'static str,
}

impl Syllable {
    fn of(c: char) -> Option<Syllable> {
        const FIRST: u32 = 0xac00;
        let at = usize::try_from(u32::from(c).checked_sub(FIRST)?).ok()?;
        let initial = INITIALS.chars().nth(at / (VOWELS.len() * FINALS.len()))?;
        let vowel = VOWELS.get(at / FINALS.len() % VOWELS.len())?;
        Some(Syllable { initial, vowel, end: FINALS.get(at % FINALS.len())? })
    }

    /// What is heard of its end before what comes next: it goes over to a vowel, and else is one of seven (Standard
    /// Pronunciation, articles 8 to 14), which becomes a nasal before one (article 18).
    fn end_before(&self, next: Option<char>) -> impl Iterator<Item = char> {
        let goes_over = next == Some(SILENT) && self.end != "ㅇ";
        let closed = (!goes_over).then(|| match self.end {
            "ㄱ" | "ㄲ" | "ㅋ" | "ㄱㅅ" | "ㄹㄱ" => Some('ㄱ'),
            "ㄹㅁ" => Some('ㅁ'),
            "ㄷ" | "ㅌ" | "ㅅ" | "ㅆ" | "ㅈ" | "ㅊ" | "ㅎ" => Some('ㄷ'),
            "ㅂ" | "ㅍ" | "ㅂㅅ" | "ㄹㅍ" => Some('ㅂ'),
            other => other.chars().next(),
        });
        let before_nasal = |end| match (end, next) {
            ('ㄱ', Some('ㄴ' | 'ㅁ')) => 'ㅇ',
            ('ㄷ', Some('ㄴ' | 'ㅁ')) => 'ㄴ',
            ('ㅂ', Some('ㄴ' | 'ㅁ')) => 'ㅁ',
            (end, _) => end,
        };
        let over = if goes_over { self.end } else { "" };
        over.chars().filter(|end| *end != 'ㅎ').chain(closed.flatten().map(before_nasal))
    }
}

/// What a sentence sounds like, without spaces.
pub fn sounds(text: &str) -> Vec<Sound> {
    let letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut sounds = Vec::with_capacity(letters.len() * 3);
    for (place, letter) in letters.iter().enumerate() {
        let Some(syllable) = Syllable::of(*letter) else {
            sounds.push(Sound::from(*letter));
            continue;
        };
        let next = letters.get(place + 1).and_then(|next| Syllable::of(*next)).map(|next| next.initial);
        let initial = Some(syllable.initial).filter(|initial| *initial != SILENT);
        let letters = initial.into_iter().chain(syllable.vowel.chars()).chain(syllable.end_before(next));
        sounds.extend(letters.map(Sound::from));
    }
    sounds
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Lips,
    Teeth,
    Palate,
    Velum,
    Throat,
}

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Stop,
    Affricate,
    Fricative,
    Nasal,
    Liquid,
}

fn spoken(consonant: char) -> Option<(Place, Manner)> {
    Some(match consonant {
        'ㅂ' | 'ㅃ' | 'ㅍ' => (Place::Lips, Manner::Stop),
        'ㄷ' | 'ㄸ' | 'ㅌ' => (Place::Teeth, Manner::Stop),
        'ㄱ' | 'ㄲ' | 'ㅋ' => (Place::Velum, Manner::Stop),
        'ㅈ' | 'ㅉ' | 'ㅊ' => (Place::Palate, Manner::Affricate),
        'ㅅ' | 'ㅆ' => (Place::Teeth, Manner::Fricative),
        'ㅎ' => (Place::Throat, Manner::Fricative),
        'ㅁ' => (Place::Lips, Manner::Nasal),
        'ㄴ' => (Place::Teeth, Manner::Nasal),
        'ㅇ' => (Place::Velum, Manner::Nasal),
        'ㄹ' => (Place::Teeth, Manner::Liquid),
        _ => return None,
    })
}

/// Vowels whose places in the mouth are neighbours.
const NEIGHBOURS: [(char, char); 9] = [
    ('ㅓ', 'ㅗ'),
    ('ㅓ', 'ㅡ'),
    ('ㅗ', 'ㅜ'),
    ('ㅜ', 'ㅡ'),
    ('ㅡ', 'ㅣ'),
    ('ㅏ', 'ㅓ'),
    ('ㅐ', 'ㅣ'),
    ('ㅐ', 'ㅏ'),
    ('ㅐ', 'ㅓ'),
];

/// What differences are counted in.
const WHOLE: u16 = 20;

/// How much it is to hear one sound for another, in twentieths; a whole where they have nothing in common.
fn difference(one: char, other: char) -> u16 {
    if one == other {
        return 0;
    }
    let is_vowel = |sound: char| VOWELS.iter().any(|vowel| vowel.ends_with(sound)) || matches!(sound, 'ʲ' | 'ʷ');
    match (spoken(one), spoken(other)) {
        (Some((place, manner)), Some((other_place, other_manner))) => {
            match (place == other_place, manner == other_manner) {
                (true, true) => 5,
                (false, true) => 12,
                (true, false) => 14,
                (false, false) if is_affricate_and_obstruent(manner, other_manner) => 16,
                (false, false) => 20,
            }
        }
        (Some(_), None) if is_vowel(other) => 24,
        (None, Some(_)) if is_vowel(one) => 24,
        (None, None) if NEIGHBOURS.contains(&(one, other)) || NEIGHBOURS.contains(&(other, one)) => 10,
        (None, None) if matches!((one, other), ('ʲ', 'ʷ') | ('ʷ', 'ʲ')) => 12,
        _ => 20,
    }
}

fn is_affricate_and_obstruent(one: Manner, other: Manner) -> bool {
    let obstruent = |manner| matches!(manner, Manner::Stop | Manner::Fricative);
    (one == Manner::Affricate && obstruent(other)) || (other == Manner::Affricate && obstruent(one))
}

/// The least of what follows.
const LEAST_LOSS: u16 = 8;

/// How much it is to hear a sound that was not spoken, or not to hear one that was.
fn loss(sound: char) -> u16 {
    match sound {
        'ʲ' | 'ʷ' => LEAST_LOSS,
        'ㅎ' => 10,
        'ㅡ' => 14,
        sound if spoken(sound).is_some() => 16,
        _ => 20,
    }
}

/// The differences among sounds, worked out once.
struct Table {
    differences: [[u16; Table::PLACES]; Table::PLACES],
    losses: [u16; Table::PLACES],
}

impl Table {
    const FIRST: u32 = 0x3131;
    /// The consonants and vowels of the block, the glides behind, and a place for all that is not Korean.
    const LETTERS: u8 = 51;
    const OTHERS: u8 = Table::LETTERS + 2;
    /// A power of two: a place within it is found without a look at its bounds.
    const PLACES: usize = 64;

    fn new() -> Table {
        let sounds: [char; Table::PLACES] =
            std::array::from_fn(|place| match place.checked_sub(Table::LETTERS.into()) {
                Some(0) => 'ʲ',
                Some(1) => 'ʷ',
                Some(_) => char::default(),
                None => char::from_u32(Table::FIRST + place as u32).unwrap_or_default(),
            });
        let mut table = Table {
            differences: sounds.map(|one| sounds.map(|other| difference(one, other))),
            losses: sounds.map(loss),
        };
        // Two that are not Korean may be two letters; whether they are one is to be seen before.
        table.differences[usize::from(Table::OTHERS)][usize::from(Table::OTHERS)] = WHOLE;
        table
    }

    fn place(letter: char) -> u8 {
        match letter {
            'ʲ' => Table::LETTERS,
            'ʷ' => Table::LETTERS + 1,
            _ => {
                let place = u32::from(letter).checked_sub(Table::FIRST).and_then(|place| u8::try_from(place).ok());
                place.filter(|place| *place < Table::LETTERS).unwrap_or(Table::OTHERS)
            }
        }
    }

    fn differences(&self, one: Sound) -> &[u16; Table::PLACES] {
        &self.differences[usize::from(one.place) % Table::PLACES]
    }

    fn loss(&self, sound: Sound) -> u32 {
        self.losses[usize::from(sound.place) % Table::PLACES].into()
    }
}

/// How far one sentence is from another: the least that turns one into the other, of the longer one's length; at most
/// `most`, which it need not be worked out beyond.
pub fn distance(one: &[Sound], other: &[Sound], most: f32) -> f32 {
    static TABLE: LazyLock<Table> = LazyLock::new(Table::new);
    let table = &*TABLE;
    let whole = u32::from(WHOLE) * one.len().max(other.len()).max(1) as u32;
    let far = (most * whole as f32) as u32;
    if (one.len().abs_diff(other.len()) as u32) * u32::from(LEAST_LOSS) > far {
        return most;
    }
    let losses = other.iter().scan(0, |sum, sound| {
        *sum += table.loss(*sound);
        Some(*sum)
    });
    let mut row: Vec<u32> = losses.collect();
    let mut begin = 0;
    for sound in one {
        let (lost, differences) = (table.loss(*sound), table.differences(*sound));
        let mut diagonal = begin;
        begin += lost;
        let (mut left, mut least) = (begin, begin);
        for (cost, heard) in row.iter_mut().zip(other) {
            let is_same = sound.place == Table::OTHERS && heard == sound;
            let difference = if is_same { 0 } else { u32::from(differences[usize::from(heard.place) % Table::PLACES]) };
            let above = *cost;
            left = (diagonal + difference).min(above + lost).min(left + table.loss(*heard));
            (*cost, diagonal) = (left, above);
            least = least.min(left);
        }
        if least > far {
            return most;
        }
    }
    (row.last().copied().unwrap_or(begin) as f32 / whole as f32).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        sounds(text).into_iter().map(|sound| sound.letter).collect()
    }

    #[test]
    fn korean_is_taken_as_it_is_pronounced() {
        assert_eq!(written("상담원"), "ㅅㅏㅇㄷㅏㅁʷㅓㄴ", "a consonant goes over to the vowel");
        assert_eq!(written("있어요"), written("이써요"));
        assert_eq!(written("읽어요"), written("일거요"), "both of two");
        assert_eq!(written("좋아요"), written("조아요"));
        assert_eq!(written("합니다"), written("함니다"), "a stop before a nasal");
        assert_eq!(written("옷"), written("옫"), "one of seven at the end");
        assert_eq!(written("세 개"), written("새게"));
        assert_eq!(written("영어"), "ʲㅓㅇㅓ", "ng stays where it is");
        assert_eq!(written("A 4"), "A4");
    }

    #[test]
    fn what_sounds_alike_is_near() {
        let far = |one: &str, other: &str| distance(&sounds(one), &sounds(other), 1.0);
        assert_eq!(far("주문 조회", "주문조회"), 0.0);
        assert_eq!(far("abc", "xyz"), 1.0);
        assert!((far("가", "카") - 0.125).abs() < 1e-6 && far("가", "카") < far("가", "다"));
        assert!(far("다", "가") < far("마", "가") && far("고", "거") < far("고", "기"));
        assert!((far("abcd", "abed") - 0.25).abs() < 1e-6);
        assert!((far("", "가") - 0.9).abs() < 1e-6 && far("", "") == 0.0);
        let most = distance(&sounds("주문 조회"), &sounds("영업 시간"), 0.2);
        assert!((most - 0.2).abs() < 1e-6, "it is not worked out beyond: {most}");
    }

    #[test]
    fn distances_are_the_same_both_ways() {
        let texts = ["상담원 연결해 주세요", "주문 조회", "배송이 언제 와요", "hello", "", "예약 1번"];
        for one in texts.map(sounds) {
            for other in texts.map(sounds) {
                assert!((distance(&one, &other, 1.0) - distance(&other, &one, 1.0)).abs() < 1e-5);
            }
        }
    }
}
