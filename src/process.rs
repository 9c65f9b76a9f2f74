//! One job from its object keys to a reading: a list of steps. Knows nothing of queues and retries.

use crate::document::{Reading, mask_aadhaar};
use crate::failure::{Class, Failure};
use crate::job::Job;
use crate::reader::Reader;
use crate::storage::Storage;
use crate::telemetry::StepTimes;

/// What a job needs to be processed.
pub struct Processor {
    /// Where the images are.
    pub storage: Storage,
    /// Who reads them.
    pub reader: Reader,
    /// Mask the first eight digits of Aadhaar numbers, so that no event holds them.
    pub mask_aadhaar: bool,
}

impl Processor {
    /// Reads the document that the job names, and notes how long each step took.
    ///
    /// # Errors
    /// The first step's failure; [`Class::NoData`] when everything worked and nothing was found.
    pub async fn process(&self, job: &Job, steps: &mut StepTimes) -> Result<Reading, Failure> {
        let bucket = self.storage.bucket_of(job)?;
        let front = self.storage.image(bucket, &job.front);
        let back = job.back.as_ref().map(|key| self.storage.image(bucket, key));
        let reading = self.reader.read(&front, back.as_ref(), steps).await?;
        if reading.fields.is_empty() {
            return Err(Failure::new(Class::NoData, "no field was found on the images"));
        }
        Ok(if self.mask_aadhaar { mask_aadhaar(reading) } else { reading })
    }
}
