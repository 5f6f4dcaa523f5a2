//! One suite for both engines, and what only a real daemon can show.
#![allow(clippy::disallowed_methods, reason = "tests make their own folders and names")]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod archive;
mod bench;
mod docker;
mod exec;
mod fake;
mod podman;
mod remote;
mod server;
mod suite;
mod unreachable;

/// Cases of the suite on one engine.
macro_rules! on {
    ($engine:ident, $bench:path: $($case:ident)*) => {
        mod $engine {
            $(#[tokio::test]
            async fn $case() {
                crate::suite::$case(&$bench().await).await;
            })*
        }
    };
}

/// Every case of the suite, once per engine; what Podman without root can do only where the host lets it, which is
/// control groups of version 2, a range of users of one's own and the tun device; and what Podman's service has no way
/// to do.
macro_rules! conformance {
    ([$($case:ident)*] but for rootless podman [$($rooted:ident)*] but for podman [$($other:ident)*]) => {
        on! { fake_engine, crate::bench::fake: $($case)* $($rooted)* $($other)* }
        on! { docker_engine, crate::bench::docker: $($case)* $($rooted)* $($other)* }
        on! { podman_engine, crate::podman::podman: $($case)* $($rooted)* }
        on! { rootless_podman_engine, crate::podman::rootless: $($case)* }
    };
}

conformance! { [
    absence_is_an_answer_and_removing_nothing_succeeds
    acting_on_a_container_that_is_not_there_is_not_found
    an_engine_says_what_it_is
    a_loaded_image_is_found_by_name_and_by_id_with_its_labels
    an_image_is_told_with_its_configuration_and_its_history
    loading_tells_how_far_it_is
    an_image_is_exported_as_it_was_loaded
    layers_that_are_there_need_not_be_in_an_archive_where_the_engine_says_so
    an_archive_without_a_manifest_is_refused
    a_name_moves_from_one_image_to_another
    an_image_goes_with_its_last_name
    an_image_in_use_stays
    a_container_is_created_started_stopped_and_removed_and_saying_it_twice_is_fine
    a_name_that_is_taken_is_a_conflict
    an_image_that_is_missing_is_not_found
    labels_environment_and_mounts_come_back_as_they_were_wished
    waiting_returns_the_exit_code
    waiting_ends_when_the_container_is_stopped_or_removed
    the_log_keeps_both_streams_apart_and_in_order
    the_log_can_be_cut_and_dated
    following_a_log_ends_with_the_container
    a_port_held_by_another_program_is_named
    a_volume_is_created_once_and_survives_its_container
    a_volume_in_use_stays
    a_folder_that_does_not_exist_is_refused_and_not_created
    too_little_memory_is_refused
    a_container_that_fails_is_started_again_by_its_policy
    a_container_is_not_restarted_once_it_was_stopped
    a_program_cannot_run_in_a_container_that_does_not
    a_container_gets_another_name_whether_it_runs_or_not
    everything_with_a_label_is_listed_and_nothing_else
    what_is_written_to_a_volume_is_there_for_the_next_container
    what_is_in_a_volume_is_copied_out_and_in_without_anything_running
    a_path_that_is_missing_is_neither_read_nor_made
    an_archive_that_cannot_be_read_is_our_own_failure
    volumes_are_measured
    several_may_measure_at_the_same_time
]
but for rootless podman [
    a_paused_container_is_seen_and_woken
    a_paused_container_can_be_stopped_and_removed
    a_port_held_by_another_container_is_named
    a_port_left_to_the_engine_is_told_while_it_runs
    a_file_put_in_can_be_taken_out_before_and_after_the_start
    what_became_of_a_containers_files_is_told
    what_a_container_uses_is_told_while_it_runs
]
but for podman [
    a_container_that_could_not_start_remembers_why
] }
