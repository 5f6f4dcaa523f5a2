//! An image of the engine as a layout, which is there for as long as somebody needs it.

use occ_engine::Engine as _;
use occ_image::{Compression, Layout, SavedError, WorkFolder, work_folder};
use occ_oci::{ANNOTATION_REF_NAME, Descriptor};

use super::tag::absent;
use crate::commands::saved;
use crate::context::Context;
use crate::failure::Failure;

/// An image of the engine as a layout.
pub(super) struct Exported {
    pub(super) layout: Layout,
    /// The image's manifest.
    pub(super) root: Descriptor,
    _folder: WorkFolder,
}

/// Exports an image of the engine by its name or id. Its layers are compressed with gzip, the same layers to the
/// same bytes each time; where it was pulled, its registry may have had them compressed otherwise.
pub(super) async fn export(name: &str, context: &Context) -> Result<Exported, Failure> {
    let engine = context.engine()?;
    let Some(image) = engine.image(name).await? else { return Err(absent(name)) };
    let Some(archive) = engine.save_image(&image.id.0).await? else { return Err(absent(name)) };
    let folder = work_folder(&context.env.cache_dir)?;
    let place = folder.path().join("layout");
    let cancel = context.cancel.clone();
    let filled =
        saved::take(archive, (format!("Exporting {name}"), image.size), context, move |archive| {
            let mut filling = Layout::fill(&place, &|_| {}, cancel.flag())?;
            let threads = std::thread::available_parallelism().map_err(SavedError::Read)?;
            let root = filling.saved(archive, Compression::Gzip, threads)?;
            let mut entry = root.clone();
            entry.annotations.insert(ANNOTATION_REF_NAME.to_owned(), "exported".to_owned());
            filling.list(entry);
            Ok::<_, SavedError>((filling.finish()?, root))
        });
    let (layout, root) = filled.await?;
    Ok(Exported { layout, root, _folder: folder })
}
