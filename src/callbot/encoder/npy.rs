//! Arrays as NumPy writes them (NEP 1), as far as the encoder's weights need: little-endian floats and octets, in C order.

use ndarray::Array2;

use super::Fault;

/// An array as it stands in a file.
#[derive(Debug)]
pub(super) struct Npy<'f> {
    name: &'static str,
    pub shape: Vec<usize>,
    kind: &'f str,
    values: &'f [u8],
}

impl<'f> Npy<'f> {
    pub fn parse(name: &'static str, file: &'f [u8]) -> Result<Npy<'f>, Fault> {
        let wrong = |why: &'static str| Fault::Malformed(name, why);
        let rest = file.strip_prefix(b"\x93NUMPY").ok_or(wrong("it is no NumPy array"))?;
        let (version, rest) = rest.split_at_checked(2).ok_or(wrong("it ends in its header"))?;
        let (length, rest) = match version {
            [1, _] => rest.split_at_checked(2).map(|(length, rest)| (little(length), rest)),
            [2 | 3, _] => rest.split_at_checked(4).map(|(length, rest)| (little(length), rest)),
            _ => None,
        }
        .ok_or(wrong("its version is unknown"))?;
        let (header, values) = rest.split_at_checked(length).ok_or(wrong("it ends in its header"))?;
        let header = std::str::from_utf8(header).map_err(|_| wrong("its header is no text"))?;
        if field(header, "'fortran_order':").is_some_and(|order| order.starts_with("True")) {
            return Err(wrong("it is in Fortran order"));
        }
        let kind = field(header, "'descr':").and_then(|kind| kind.split('\'').nth(1)).unwrap_or_default();
        let shape = field(header, "'shape':").and_then(|shape| shape.strip_prefix('(')).unwrap_or_default();
        let shape = shape.split(')').next().unwrap_or_default();
        let shape: Result<Vec<usize>, _> =
            shape.split(',').map(str::trim).filter(|size| !size.is_empty()).map(str::parse).collect();
        let shape = shape.map_err(|_| wrong("its shape is no list of sizes"))?;
        let array = Npy { name, shape, kind, values };
        let size = match kind {
            "|u1" => 1,
            "<f4" => 4,
            "<f8" => 8,
            _ => return Err(wrong("its values are neither floats nor octets")),
        };
        match array.shape.iter().try_fold(size, |size: usize, side| size.checked_mul(*side)) {
            Some(octets) if octets == values.len() => Ok(array),
            _ => Err(wrong("it is not as long as its shape says")),
        }
    }

    pub fn octets(&self) -> Result<Vec<u8>, Fault> {
        match self.kind {
            "|u1" => Ok(self.values.to_vec()),
            _ => Err(Fault::Malformed(self.name, "its values are not octets")),
        }
    }

    pub fn floats(&self) -> Result<Vec<f32>, Fault> {
        match self.kind {
            "<f4" => Ok(self.values.as_chunks().0.iter().map(|octets| f32::from_le_bytes(*octets)).collect()),
            "<f8" => Ok(self.values.as_chunks().0.iter().map(|octets| f64::from_le_bytes(*octets) as f32).collect()),
            _ => Err(Fault::Malformed(self.name, "its values are not floats")),
        }
    }

    pub fn matrix(&self, rows: usize, columns: usize) -> Result<Array2<f32>, Fault> {
        if self.shape != [rows, columns] {
            return Err(Fault::Malformed(self.name, "its shape is not the encoder's"));
        }
        Array2::from_shape_vec((rows, columns), self.floats()?)
            .map_err(|_| Fault::Malformed(self.name, "its shape is not the encoder's"))
    }

    pub fn vector(&self, length: usize) -> Result<Vec<f32>, Fault> {
        let floats = self.floats()?;
        if floats.len() == length {
            Ok(floats)
        } else {
            Err(Fault::Malformed(self.name, "its length is not the encoder's"))
        }
    }
}

fn little(octets: &[u8]) -> usize {
    octets.iter().rev().fold(0, |number, octet| number << 8 | usize::from(*octet))
}

/// What stands behind a key of the header, which is a Python dictionary in text.
fn field<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    header.split_once(key).map(|(_, rest)| rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, values: &[u8]) -> Vec<u8> {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(values);
        file
    }

    #[test]
    fn an_array_is_read_with_its_shape() {
        let values: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let file = file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", &values);
        let array = Npy::parse("a", &file).unwrap().matrix(2, 3).unwrap();
        assert_eq!(array[(1, 0)], 4.0);
    }

    #[test]
    fn what_is_cut_or_strange_is_refused() {
        let fine = file("{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", &[1, 2, 3, 4]);
        assert_eq!(Npy::parse("a", &fine).unwrap().octets().unwrap(), [1, 2, 3, 4]);
        for end in 0..fine.len() {
            assert!(Npy::parse("a", &fine[..end]).is_err(), "cut after {end}");
        }
        for header in [
            "{'descr': '<i8', 'fortran_order': False, 'shape': (4,), }",
            "{'descr': '|u1', 'fortran_order': True, 'shape': (4,), }",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 99999999999), }",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (x,), }",
            "{}",
        ] {
            assert!(Npy::parse("a", &file(header, &[1, 2, 3, 4])).is_err(), "{header}");
        }
    }
}
