//! Results: columns with their names, and the values of a fetch, by column or (before protocol V6) by row.

use super::super::thrift::{Reader, ThriftError, Type, Writer};

/// One column of values; `None` is NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// STRING.
    Text(Vec<Option<String>>),
    /// INT.
    Int(Vec<Option<i32>>),
    /// BIGINT.
    Long(Vec<Option<i64>>),
    /// Any other type, of so many rows; only decoded.
    Other(usize),
}

/// TRowSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowSet {
    /// Number of the first row since the operation began.
    pub start: i64,
    /// All of the same height.
    pub columns: Vec<Column>,
}

/// TTableSchema: names and types, the types taken from empty or full columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Name and TTypeId of each.
    pub columns: Vec<(String, i32)>,
}

impl Column {
    /// Rows in it.
    pub fn height(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Long(values) => values.len(),
            Self::Other(height) => *height,
        }
    }

    /// TTypeId.
    pub fn type_id(&self) -> i32 {
        match self {
            Self::Int(_) => 3,
            Self::Long(_) => 4,
            Self::Text(_) | Self::Other(_) => 7,
        }
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Text(values) => encode_values(w, 7, Type::Binary, values, |w, value| {
                w.binary(value.as_deref().unwrap_or("").as_bytes());
            }),
            Self::Int(values) => encode_values(w, 4, Type::I32, values, |w, value| {
                w.i32(value.unwrap_or(0));
            }),
            Self::Long(values) => encode_values(w, 5, Type::I64, values, |w, value| {
                w.i64(value.unwrap_or(0));
            }),
            Self::Other(_) => {}
        }
    }

    /// TColumnValue of one row: a union, whose value is absent for NULL.
    fn encode_cell(&self, w: &mut Writer, row: usize) {
        match self {
            Self::Text(values) => w.structure(7, |w| {
                if let Some(Some(value)) = values.get(row) {
                    w.text_field(1, value);
                }
            }),
            Self::Int(values) => w.structure(4, |w| {
                if let Some(Some(value)) = values.get(row) {
                    w.i32_field(1, *value);
                }
            }),
            Self::Long(values) => w.structure(5, |w| {
                if let Some(Some(value)) = values.get(row) {
                    w.i64_field(1, *value);
                }
            }),
            Self::Other(_) => {}
        }
    }

    /// TColumn: a union of structs {1 values, 2 nulls}.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, ThriftError> {
        let mut column = Self::Other(0);
        while let Some(field) = reader.field()? {
            match (field.id, field.kind) {
                (id, Type::Struct) => column = Self::decode_values(id, reader)?,
                (_, kind) => reader.skip(kind)?,
            }
        }
        Ok(column)
    }

    fn decode_values(union_id: i16, reader: &mut Reader<'_>) -> Result<Self, ThriftError> {
        let mut column = Self::Other(0);
        let mut nulls: &[u8] = &[];
        while let Some(field) = reader.field()? {
            match (field.id, field.kind) {
                (1, Type::List) => column = Self::decode_list(union_id, reader)?,
                (2, Type::Binary) => nulls = reader.binary()?,
                (_, kind) => reader.skip(kind)?,
            }
        }
        column.erase(nulls);
        Ok(column)
    }

    fn decode_list(union_id: i16, reader: &mut Reader<'_>) -> Result<Self, ThriftError> {
        let (kind, count) = reader.list()?;
        let mut rows = 0..count;
        Ok(match (union_id, kind) {
            (7, Type::Binary) => Self::Text(
                rows.map(|_| Ok(Some(reader.text()?.into_owned())))
                    .collect::<Result<_, ThriftError>>()?,
            ),
            (4, Type::I32) => Self::Int(
                rows.map(|_| reader.i32().map(Some))
                    .collect::<Result<_, _>>()?,
            ),
            (5, Type::I64) => Self::Long(
                rows.map(|_| reader.i64().map(Some))
                    .collect::<Result<_, _>>()?,
            ),
            _ => {
                rows.try_for_each(|_| reader.skip(kind))?;
                Self::Other(count)
            }
        })
    }

    /// Bit n of the mask, lowest first, tells that row n is NULL.
    fn erase(&mut self, nulls: &[u8]) {
        let is_null = |row: usize| {
            let byte = nulls.get(row / 8).copied().unwrap_or(0);
            byte >> (row % 8) & 1 == 1
        };
        match self {
            Self::Text(values) => erase_where(values, is_null),
            Self::Int(values) => erase_where(values, is_null),
            Self::Long(values) => erase_where(values, is_null),
            Self::Other(_) => {}
        }
    }
}

impl RowSet {
    /// Rows in it.
    pub fn height(&self) -> usize {
        self.columns.iter().map(Column::height).max().unwrap_or(0)
    }

    /// The value at the top left, as text.
    pub fn first(&self) -> Option<String> {
        match self.columns.first()? {
            Column::Text(values) => values.first()?.clone(),
            Column::Int(values) => values.first()?.map(|value| value.to_string()),
            Column::Long(values) => values.first()?.map(|value| value.to_string()),
            Column::Other(_) => None,
        }
    }

    /// As field `id`; clients below protocol V6 (5) read rows, all others columns.
    pub(super) fn encode(&self, id: i16, protocol: i32, writer: &mut Writer) {
        let by_column = protocol >= super::PROTOCOL_V6;
        writer.structure(id, |w| {
            w.i64_field(1, self.start);
            let rows: Vec<usize> = (0..self.height()).filter(|_| !by_column).collect();
            w.list(2, Type::Struct, &rows, |w, row| {
                w.list(1, Type::Struct, &self.columns, |w, column| {
                    column.encode_cell(w, *row);
                    w.stop();
                });
                w.stop();
            });
            if by_column {
                w.list(3, Type::Struct, &self.columns, |w, column| {
                    column.encode(w);
                    w.stop();
                });
            }
        });
    }

    /// Columns only: howdah asks with protocol V6.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, ThriftError> {
        let mut set = Self::default();
        while let Some(field) = reader.field()? {
            match (field.id, field.kind) {
                (1, Type::I64) => set.start = reader.i64()?,
                (3, Type::List) => {
                    let (kind, count) = reader.list()?;
                    for _ in 0..count {
                        match kind {
                            Type::Struct => set.columns.push(Column::decode(reader)?),
                            other => reader.skip(other)?,
                        }
                    }
                }
                (_, kind) => reader.skip(kind)?,
            }
        }
        Ok(set)
    }
}

impl Schema {
    /// Of these names and columns.
    pub fn of(names: &[&str], columns: &[Column]) -> Self {
        let types = columns.iter().map(Column::type_id);
        let columns = names.iter().map(|name| (*name).to_owned()).zip(types);
        Self {
            columns: columns.collect(),
        }
    }

    /// TTableSchema {1 columns: list of {1 name, 2 type {1 types: list of union {1 primitive {1 type}}}, 3 position}}.
    pub(super) fn encode(&self, id: i16, writer: &mut Writer) {
        let numbered: Vec<_> = (1..).zip(&self.columns).collect();
        writer.structure(id, |w| {
            w.list(
                1,
                Type::Struct,
                &numbered,
                |w, (position, (name, type_id))| {
                    w.text_field(1, name);
                    w.structure(2, |w| {
                        w.list(1, Type::Struct, &[*type_id], |w, type_id| {
                            w.structure(1, |w| w.i32_field(1, *type_id));
                            w.stop();
                        });
                    });
                    w.i32_field(3, *position);
                    w.stop();
                },
            );
        });
    }
}

fn encode_values<T>(
    w: &mut Writer,
    union_id: i16,
    kind: Type,
    values: &[Option<T>],
    element: impl FnMut(&mut Writer, &Option<T>),
) {
    let mut nulls = vec![0; values.len().div_ceil(8)];
    for (row, _) in values
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_none())
    {
        nulls[row / 8] |= 1 << (row % 8);
    }
    w.structure(union_id, |w| {
        w.list(1, kind, values, element);
        w.binary_field(2, &nulls);
    });
}

fn erase_where<T>(values: &mut [Option<T>], is_null: impl Fn(usize) -> bool) {
    for (row, value) in values.iter_mut().enumerate() {
        if is_null(row) {
            *value = None;
        }
    }
}
