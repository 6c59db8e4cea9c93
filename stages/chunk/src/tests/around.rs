//! What is put around the chunks.

use super::*;

#[test]
fn each_chunk_of_a_table_begins_with_its_head() {
    let text = format!("# Parts\n\n> | No | Part |\n> |---|---|\n{}", "> | 1 | a part |\n".repeat(9));
    let chunks = outputs(&json!({"size": 90}), "text/markdown", &text);
    assert!(chunks.len() > 2);
    for chunk in &chunks[1..] {
        assert!(payload(chunk).starts_with("> | No | Part |\n> |---|---|\n> | 1 |"), "{}", payload(chunk));
    }
    assert_eq!(attributes("chunk.added-before", &chunks)[..2], [None, Some("28".into())]);
}

#[test]
fn a_head_of_several_lines_is_repeated_as_a_whole() {
    let head = "> | Year | 2023 |\r\n> | | Q1 |\r\n> |---|---|\r\n";
    let text = format!("> | Another | table |\r\n\r\n{head}{}", "> | a | b |\r\n".repeat(20));
    let chunks = markdown(&json!({"size": 110}), &text);
    assert!(chunks.len() > 2 && chunks[1..].iter().all(|chunk| chunk.starts_with(head)), "{chunks:?}");
}

#[test]
fn a_head_that_would_take_half_of_a_chunk_is_not_repeated() {
    let text = format!("| A column with a long name |\n|---|\n{}", "| 1 |\n".repeat(20));
    assert!(markdown(&json!({"size": 60}), &text)[1].starts_with("| 1 |"));
}

#[test]
fn a_fence_in_a_quotation_or_a_list_is_reopened_there() {
    let quoted = format!("> ```py\n{}> ```\n", "> a = 1\n".repeat(9));
    assert_eq!(markdown(&json!({"size": 48}), &quoted)[1], format!("> ```py\n{}> ```\n", "> a = 1\n".repeat(4)));
    let listed = format!("- ~~~~\n{}  ~~~~\n", "  ```\n".repeat(9));
    assert_eq!(markdown(&json!({"size": 40}), &listed)[1], format!("- ~~~~\n{}  ~~~~\n", "  ```\n".repeat(4)));
}

#[test]
fn a_fence_that_nothing_closes_is_closed_where_it_is_reopened() {
    let text = format!("```sh\n{}", "make all\n".repeat(6));
    let chunks = markdown(&json!({"size": 40}), &text);
    assert!(chunks.len() > 1 && chunks.iter().all(|chunk| chunk.ends_with("make all\n```\n")), "{chunks:?}");
}

#[test]
fn the_heading_path_can_be_part_of_the_text() {
    let text = "# Guide\n\n## Setup\n\nFirst one here. Second one there. Third one.\n";
    let chunks = markdown(&json!({"size": 50, "heading_path": "text"}), text);
    assert_eq!(chunks[0], "# Guide\n\n## Setup\n\nFirst one here. ");
    assert!(chunks[1].starts_with("Second one"), "a path of more than a quarter of the size is left out");
    let chunks = markdown(&json!({"size": 60, "min_size": 0, "heading_path": "text"}), text);
    assert_eq!(chunks[1], "Guide > Setup\n\nThird one.\n");
}
