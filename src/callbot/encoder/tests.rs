use super::*;

fn varint(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A model of these pieces, without a normaliser.
fn model(pieces: &[(&str, f32)]) -> Vec<u8> {
    let mut model = Vec::new();
    for (text, score) in pieces {
        let mut piece = vec![0x0a];
        varint(text.len(), &mut piece);
        piece.extend(text.as_bytes());
        piece.push(0x15);
        piece.extend(score.to_le_bytes());
        model.push(0x0a);
        varint(piece.len(), &mut model);
        model.extend(piece);
    }
    model
}

const SMALL: [(&str, f32); 8] = [
    ("<unk>", 0.0),
    ("<s>", 0.0),
    ("</s>", 0.0),
    ("▁an", -2.0),
    ("▁", -4.0),
    ("an", -3.0),
    ("a", -4.0),
    ("▁banan", -3.5),
];

#[test]
fn the_likeliest_pieces_are_found() {
    let pieces = Pieces::parse(&model(&SMALL)).unwrap();
    assert_eq!(pieces.encode("an"), [1, 3, 2]);
    assert_eq!(pieces.encode("banana"), [1, 7, 6, 2], "a long piece and the rest beat many short ones");
    assert_eq!(pieces.encode("  an   an "), [1, 3, 3, 2], "spaces are taken together");
    assert_eq!(pieces.encode("aé"), [1, 4, 6, 0, 2], "a character that no piece has is one unknown");
    assert_eq!(pieces.encode(""), [1, 0, 2]);
}

#[test]
fn a_cut_model_is_no_panic() {
    let model = model(&SMALL);
    for end in 0..model.len() {
        let _ = Pieces::parse(&model[..end]);
    }
    assert!(Pieces::parse(&[]).is_err());
}

#[test]
fn a_very_long_text_is_cut() {
    let pieces = Pieces::parse(&model(&SMALL)).unwrap();
    assert!(pieces.encode(&"é".repeat(100_000)).len() < 1_100);
}

#[test]
fn what_is_missing_is_named() {
    let files = BTreeMap::from([("sp.model".to_owned(), model(&SMALL))]);
    assert_eq!(Encoder::read(&files).unwrap_err(), Fault::Missing("q1.npy".to_owned()));
}

/// The pieces and the first numbers that the reference implementation gives for these texts.
#[test]
fn the_weights_give_what_the_reference_gives() {
    let Some(encoder) = super::super::tests::encoder() else { return };
    let reference: [(&str, &[u32], [f32; 4]); 6] = [
        ("where is my order", &[1, 618, 32, 179, 2081, 2], [0.0109, 0.0034, -0.0543, 0.0098]),
        (
            "J'ai déménagé, voilà ma nouvelle adresse !",
            &[1, 585, 11, 563, 95, 101977, 384, 12388, 7, 15675, 1340, 224, 10884, 36454, 491, 2],
            [-0.0087, -0.0493, -0.028, 0.0408],
        ),
        (
            "세탁기가 고장 났어요",
            &[1, 10866, 40427, 44697, 7386, 4924, 6, 106009, 3403, 13475, 2],
            [-0.0319, 0.0505, 0.0698, 0.0743],
        ),
        ("ﬁne  ①２３ and 日本語", &[1, 1668, 26690, 17, 71578, 2], [0.012, 0.0138, -0.0219, -0.0107]),
        ("", &[1, 0, 2], [0.1521, 0.0314, 0.0396, 0.0355]),
        ("xqzwv \u{1F600} ok", &[1, 6, 37092, 19302, 387, 6, 0, 2116, 2], [0.1092, -0.0508, 0.0497, 0.0556]),
    ];
    let texts: Vec<&str> = reference.iter().map(|(text, ..)| *text).collect();
    let rows = encoder.encode(&texts);
    for ((text, ids, numbers), row) in reference.iter().zip(rows.rows()) {
        assert_eq!(encoder.pieces.encode(text), *ids, "{text}");
        for (number, value) in numbers.iter().zip(row) {
            assert!(
                (number - value).abs() < 2e-3,
                "{text}: {numbers:?} but {:?}",
                row.iter().take(4).collect::<Vec<_>>()
            );
        }
    }
    let alone = encoder.encode(&["where is my order"]);
    let apart: f32 = alone.row(0).iter().zip(rows.row(0)).map(|(one, other)| (one - other).abs()).sum();
    assert!(apart < 1e-3, "a sentence does not depend on those beside it: {apart}");
}
